/** Summaries and search attributes of a workflow at its start, for the Temporal Web UI and `list`. Pure. */
import type { SearchAttributePair } from '@temporalio/common';
import { forWebUi } from '../base/words.ts';
import type { ReleaseRequest } from '../spec/request.ts';
import { searchAttribute, type SearchAttributeName } from '../stage/stage.ts';

/** Longest summary (characters): the server refuses more than 400 bytes. */
const MAX_SUMMARY = 200;

/** `edge-camera: quay.io/acme/edge-camera:v1 with qcow2, vmdk, iso`. */
export function releaseSummary(request: Pick<ReleaseRequest, 'name' | 'repository' | 'tag' | 'disks'>): string {
  const disks = request.disks.map((disk) => disk.type).join(', ');
  return short(`${request.name}: ${request.repository}:${request.tag}${disks ? ` with ${disks}` : ''}`);
}

/** The search attributes with which a release starts. */
export function releaseAttributes(name: Pick<ReleaseRequest, 'repository' | 'tag'>): SearchAttributePair[] {
  return [...promotionAttributes(name), keyword('FlightlineStage', 'resolve')];
}

/** The search attributes with which a promotion to a name starts. */
export function promotionAttributes({ repository, tag }: { repository: string; tag: string }): SearchAttributePair[] {
  return [
    keyword('FlightlineRepository', repository),
    keyword('FlightlineTag', tag),
    keyword('FlightlineStatus', 'running'),
  ];
}

function keyword(name: Exclude<SearchAttributeName, 'FlightlineHost'>, value: string): SearchAttributePair {
  return { key: searchAttribute(name), value };
}

/** `disks qcow2+vmdk of quay.io/acme/edge-camera:v1`. */
export function builderRunSummary(subject: string, image: { repository: string; tag: string }): string {
  return short(`disks ${subject} of ${image.repository}:${image.tag}`);
}

function short(text: string): string {
  return text.length > MAX_SUMMARY ? `${text.slice(0, MAX_SUMMARY - 1)}…` : text;
}

/** Enrollment and the names of secrets. */
function secretLines({ enrollment, secrets = [], pullSecret }: ReleaseRequest): string[] {
  const names = [...secrets.map(({ from }) => from), ...(pullSecret === undefined ? [] : [pullSecret])];
  return [
    ...(enrollment === undefined ? [] : [`- enrollment: ${enrollment.binding} binding`]),
    ...(names.length === 0 ? [] : [`- secrets: ${names.join(', ')}`]),
  ];
}

/** The request in Markdown, for the workflow's page in the Web UI. A request has no secrets. */
export function staticDetails(request: ReleaseRequest): string {
  const context =
    request.context.kind === 'git'
      ? `${request.context.url} at \`${request.context.ref.slice(0, 12)}\``
      : `\`${request.contextRepository}@${request.context.digest}\``;
  const disks = request.disks.map(
    (disk) =>
      `- ${disk.type}, ${disk.publish === 'none' ? 'not published' : `as ${disk.publish} in \`${disk.repository}\``}` +
      `${disk.compress === 'none' ? '' : ` (${disk.compress})`}`,
  );
  const lines = [
    `**${request.name}** → \`${request.repository}:${request.tag}\``,
    '',
    `- also tagged: ${request.alsoTag.join(', ') || 'nothing'} (policy: ${request.tagPolicy})`,
    `- machines follow: ${request.updateFrom}`,
    `- context: ${context}`,
    `- commit: ${request.commit ?? 'none, or not clean'}`,
    `- architecture: ${(request.platforms ?? [request.architecture]).join(', ')}`,
    `- signing key: ${request.key}`,
    ...secretLines(request),
    `- builder: \`${request.builder.image}\``,
    '',
    // Without the empty line the Web UI takes the list for more of the paragraph.
    ...(disks.length > 0 ? ['**Disks**', '', ...disks] : ['No disks.']),
  ];
  return forWebUi(lines.join('\n'));
}
