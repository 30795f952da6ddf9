/** What a prune removed and kept, as text. Pure. */
import { PRUNE_REASONS, type PruneGroup, type PruneReport } from '../../model/release/prune.ts';

/** Names in a line, before the rest is counted. */
const NAMED = 12;

/** A line for each reason. Removals come first. */
export function renderPrune({ repository, dryRun, removed, kept }: PruneReport): string[] {
  const verb = dryRun ? 'would be removed' : 'removed';
  return [
    `${repository}: ${counted(removed, 'release')} and ${counted(removed, 'context')} ${verb}, ` +
      `${counted(kept, 'release')} and ${counted(kept, 'context')} kept`,
    ...removed.map((group) => lineOf(dryRun ? 'would remove' : 'removed', group)),
    ...kept.map((group) => lineOf('kept', group)),
  ];
}

function counted(groups: readonly PruneGroup[], kind: PruneGroup['kind']): string {
  const number = groups.filter((group) => group.kind === kind).reduce((sum, { tags }) => sum + tags.length, 0);
  const word = kind === 'release' ? 'tag' : 'context';
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}

function lineOf(verb: string, { kind, reason, tags }: PruneGroup): string {
  // A context's tag is its digest: twelve digits tell it.
  const names = tags.map((tag) => (kind === 'context' ? tag.slice(0, 'sha256-'.length + 12) : tag));
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  const what = kind === 'context' ? 'context ' : '';
  return `  ${verb} ${what}${names.slice(0, NAMED).join(', ')}${more}: ${PRUNE_REASONS[reason]}`;
}
