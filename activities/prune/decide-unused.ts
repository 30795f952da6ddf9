/** Decides about what no release needs any more: contexts, and what failed releases left. Pure. */
import type { PruneReason } from '../../model/release/prune.ts';
import { ARCHITECTURES } from '../../model/base/host.ts';
import { contextTag, entryTag } from '../../model/oci/reference.ts';
import type { PruneDecision, Removal, Stored, Survey } from './surveyed.ts';
import { usedDigests } from './used-digests.ts';

/** How long what no record names is kept after its release closed (ms), since the release may run again. */
const GRACE = 24 * 60 * 60_000;

/** Removes what a failed or cancelled release left, unless a tag, a kept record or an open release needs it. */
export function decideUnfinished(
  survey: Survey,
  candidates: ReadonlyMap<string, { removals: readonly Removal[] }>,
  now: number,
): PruneDecision[] {
  const loose = new Map(survey.unfinished.map((one) => [nameOf(one), { removals: looseTags(survey, one) }]));
  const used = usedDigests(survey, new Map([...candidates, ...loose]));
  const past = survey.releases.flatMap(({ closedAt, unfinished = [] }) =>
    closedAt !== null && now - closedAt > GRACE ? unfinished.map(nameOf) : [],
  );
  return survey.unfinished
    .filter((one) => past.includes(nameOf(one)) && !used(one.repository, one.digest))
    .map(({ repository, digest, entries }) => ({
      kind: 'unfinished',
      tag: nameOf({ repository, digest }),
      verdict: 'remove',
      reason: 'unfinished',
      removals: [
        ...loose.get(nameOf({ repository, digest }))!.removals,
        {
          repository,
          tag: digest,
          digest,
          entries: entries.filter((entry) => !used(repository, entry)),
          nameOnly: false,
        },
      ],
    }));
}

/** Tags of an index's entries whose own tag was never placed: the release was stopped in between. */
function looseTags(survey: Survey, { repository, entries }: Survey['unfinished'][number]): Removal[] {
  const list = survey.tags.get(repository) ?? [];
  const isOf = (tag: string, index: string) => ARCHITECTURES.some((one) => entryTag(index, one) === tag);
  return list
    .filter(
      ({ tag, digest }) =>
        entries.includes(digest) &&
        ARCHITECTURES.some((one) => tag.endsWith(`-${one}`)) &&
        !list.some((other) => isOf(tag, other.tag)),
    )
    .map(({ tag, digest }) => ({ repository, tag, digest, entries: [], nameOnly: false }));
}

const nameOf = ({ repository, digest }: Stored) => `${repository}@${digest}`;

export function decideContexts(survey: Survey, candidates: ReadonlyMap<string, unknown>, now: number): PruneDecision[] {
  const needed = new Set<string>();
  const dated = new Set<string>();
  for (const [tag, verified] of survey.records) {
    const context = verified?.record.inputs?.context;
    if (context !== undefined) (candidates.has(tag) ? dated : needed).add(context);
  }
  for (const { context, closedAt } of survey.releases) {
    if (context !== null) (closedAt !== null && now - closedAt > GRACE ? dated : needed).add(context);
  }
  const { contextRepository: repository } = survey;
  const all = survey.tags.get(repository) ?? [];
  return all.map(({ tag, digest, entries }): PruneDecision => {
    const keep = (reason: PruneReason): PruneDecision => ({
      kind: 'context',
      tag,
      verdict: 'keep',
      reason,
      removals: [],
    });
    if (tag !== contextTag(digest)) return keep('foreign');
    if (needed.has(digest)) return keep('named');
    if (!dated.has(digest)) return keep('age-unknown');
    const nameOnly = all.some((other) => other.tag !== tag && other.digest === digest);
    if (nameOnly && survey.deletion !== 'tag') return keep('in-use');
    const removals = [{ repository, tag, digest, entries, nameOnly }];
    return { kind: 'context', tag, verdict: 'remove', reason: 'unused', removals };
  });
}
