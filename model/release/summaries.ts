/**
 * What the Temporal Web UI and `list` show of a workflow from its start on. Pure, so that the client can set it too.
 */
import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import type { ReleaseRequest } from '../spec/request.ts';
import type { SearchAttributeName } from './stage.ts';

/** Longest summary (characters): the server refuses more than 400 bytes. */
const MAX_SUMMARY = 200;

/** `edge-camera: quay.io/acme/edge-camera:v1 with qcow2, vmdk, iso`. */
export function releaseSummary(request: Pick<ReleaseRequest, 'name' | 'repository' | 'tag' | 'disks'>): string {
  const disks = request.disks.map((disk) => disk.type).join(', ');
  return short(`${request.name}: ${request.repository}:${request.tag}${disks ? ` with ${disks}` : ''}`);
}

/** The search attributes with which a release starts. */
export function releaseAttributes({
  repository,
  tag,
}: Pick<ReleaseRequest, 'repository' | 'tag'>): SearchAttributePair[] {
  const attributes: Partial<Record<SearchAttributeName, string>> = {
    FlightlineRepository: repository,
    FlightlineTag: tag,
    FlightlineStage: 'resolve',
    FlightlineStatus: 'running',
  };
  return Object.entries(attributes).map(([name, value]) => ({ key: defineSearchAttributeKey(name, 'KEYWORD'), value }));
}

/** `disks qcow2+vmdk of quay.io/acme/edge-camera:v1`. */
export function builderRunSummary(subject: string, image: { repository: string; tag: string }): string {
  return short(`disks ${subject} of ${image.repository}:${image.tag}`);
}

function short(text: string): string {
  return text.length > MAX_SUMMARY ? `${text.slice(0, MAX_SUMMARY - 1)}…` : text;
}
