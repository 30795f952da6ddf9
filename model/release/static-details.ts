/** What a release is asked to do, for its page in the Web UI. Pure. */
import type { ReleaseRequest } from '../spec/request.ts';

/** Enrollment and secrets, by name. */
function secretLines({ enrollment, secrets = [], pullSecret }: ReleaseRequest): string[] {
  const names = [...secrets.map(({ from }) => from), ...(pullSecret === undefined ? [] : [pullSecret])];
  return [
    ...(enrollment === undefined ? [] : [`- enrollment: ${enrollment.binding} binding`]),
    ...(names.length === 0 ? [] : [`- secrets: ${names.join(', ')}`]),
  ];
}

/** What the release is asked to do, in Markdown, for the workflow's page in the Web UI. No secret is in a request. */
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
  return [
    `**${request.name}** → \`${request.repository}:${request.tag}\``,
    '',
    `- also tagged: ${request.alsoTag.join(', ') || 'nothing'} (policy: ${request.tagPolicy})`,
    `- context: ${context}`,
    `- commit: ${request.commit ?? 'none, or not clean'}`,
    `- architecture: ${request.architecture}`,
    `- signing key: ${request.key}`,
    ...secretLines(request),
    `- builder: \`${request.builder.image}\``,
    '',
    // Without the empty line the Web UI takes the list for more of the paragraph.
    ...(disks.length > 0 ? ['**Disks**', '', ...disks] : ['No disks.']),
  ].join('\n');
}
