/** One line for each workflow, shown beside its id in the Temporal Web UI. Pure, so that the client can set them at start. */
import type { ReleaseRequest } from '../spec/request.ts';

/** Longest summary (characters): the server refuses more than 400 bytes. */
const MAX_SUMMARY = 200;

/** `edge-camera: quay.io/acme/edge-camera:v1 with qcow2, vmdk, iso`. */
export function releaseSummary(request: Pick<ReleaseRequest, 'name' | 'repository' | 'tag' | 'disks'>): string {
  const disks = request.disks.map((disk) => disk.type).join(', ');
  return short(`${request.name}: ${request.repository}:${request.tag}${disks ? ` with ${disks}` : ''}`);
}

/** `disks qcow2+vmdk of quay.io/acme/edge-camera:v1`. */
export function builderRunSummary(subject: string, image: { repository: string; tag: string }): string {
  return short(`disks ${subject} of ${image.repository}:${image.tag}`);
}

function short(text: string): string {
  return text.length > MAX_SUMMARY ? `${text.slice(0, MAX_SUMMARY - 1)}…` : text;
}
