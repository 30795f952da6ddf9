/** A decision about tags, in pages of groups. Pure. */
import { jsonBytes } from '../../model/failure/failure.ts';
import type { PruneGroup } from '../../model/release/prune.ts';
import type { PruneDecision } from './surveyed.ts';

/** Bytes of the groups in a page, which must fit into a payload of 10 kB. */
const MAX_PAGE = 8_000;

/** A page of the decision from a tag on, as large as a payload may be, in the groups that `grouped` makes. Pure. */
export function pageOf<Decision, Group>(
  decisions: readonly Decision[],
  from: number,
  grouped: (some: readonly Decision[]) => Group[],
): { groups: Group[]; next: number | null } {
  let end = decisions.length;
  // Halved until it fits: a page has hundreds of tags.
  while (jsonBytes(grouped(decisions.slice(from, end))) > MAX_PAGE) end = from + Math.ceil((end - from) / 2);
  return { groups: grouped(decisions.slice(from, end)), next: end < decisions.length ? end : null };
}

/** Decisions grouped by kind, verdict and reason, to be shown. Pure. */
export function groupDecisions(decisions: readonly PruneDecision[]): PruneGroup[] {
  const groups = new Map<string, PruneGroup>();
  for (const { kind, verdict, reason, tag } of decisions) {
    const key = `${kind} ${verdict} ${reason}`;
    const group = groups.get(key) ?? { kind, verdict, reason, tags: [] };
    group.tags.push(tag);
    groups.set(key, group);
  }
  return [...groups.values()];
}
