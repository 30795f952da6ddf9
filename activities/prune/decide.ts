/** Decides which releases and contexts of a repository are pruned, for dry runs and real ones alike. Pure. */
import { recordTime, type PrunePolicy, type PruneReason } from '../../model/release/prune.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { ARCHITECTURES } from '../../model/base/host.ts';
import { contextTag, entryTag } from '../../model/oci/reference.ts';
import { decideContexts, decideUnfinished } from './decide-unused.ts';
import type { PruneDecision, Removal, Survey, VerifiedRecord } from './surveyed.ts';
import { usedDigests } from './used-digests.ts';

/**
 * Decides about every tag of the image and context repositories, sorted by kind and tag. A release is removed when it
 * is older than both limits of the policy, its record is verified and its own, its tag points where the record says, no
 * open release has its name, and nothing that stays uses one of its digests.
 *
 * @param now milliseconds since 1970
 */
export function decidePrune(survey: Survey, policy: PrunePolicy, now: number): PruneDecision[] {
  const tags = (repository: string) => survey.tags.get(repository) ?? [];
  const at = (repository: string, tag: string) => tags(repository).find((one) => one.tag === tag);
  const candidates = new Map<string, { reason: PruneReason; removals: Removal[] }>();
  const kept = new Map<string, PruneReason>();
  const standing: { tag: string; at: number; verified: VerifiedRecord }[] = [];
  const names = new Set([
    ...tags(survey.repository).map(({ tag }) => tag),
    ...[...survey.records].flatMap(([tag, verified]) => (verified ? [tag] : [])),
  ]);
  const open = new Set(survey.releases.filter(({ closedAt }) => closedAt === null).map(({ tag }) => tag));
  const consider = (tag: string, verified: VerifiedRecord, reason: PruneReason) => {
    const removals = removalsOf(survey, tag, verified.record);
    if (open.has(tag)) kept.set(tag, 'open');
    else if (!removals.every(({ repository }) => verified.allows(repository))) kept.set(tag, 'not-listed');
    else candidates.set(tag, { reason, removals });
  };
  for (const tag of names) {
    const verified = survey.records.get(tag);
    const image = at(survey.repository, tag);
    if (!verified) kept.set(tag, verified === null ? 'unverified' : 'foreign');
    else if (!isOwnName(survey.repository, tag, verified.record)) kept.set(tag, 'shared');
    else if (image && image.digest !== verified.record.image.digest) kept.set(tag, 'moved');
    else if (image) standing.push({ tag, at: recordTime(verified.record), verified });
    else if (now - recordTime(verified.record) < policy.keepWithin) kept.set(tag, open.has(tag) ? 'open' : 'young');
    else consider(tag, verified, 'leftover');
  }
  standing.sort((left, right) => right.at - left.at || (left.tag < right.tag ? 1 : -1));
  for (const [index, { tag, at: time, verified }] of standing.entries()) {
    if (index < policy.keepLast) kept.set(tag, 'last');
    else if (now - time < policy.keepWithin) kept.set(tag, 'young');
    else consider(tag, verified, 'old');
  }
  settle(survey, candidates, kept);
  const releases = [...names].map((tag): PruneDecision => {
    const going = candidates.get(tag);
    return going
      ? { kind: 'release', tag, verdict: 'remove', ...going }
      : { kind: 'release', tag, verdict: 'keep', reason: kept.get(tag)!, removals: [] };
  });
  const byTag = (left: PruneDecision, right: PruneDecision) => (left.tag < right.tag ? -1 : 1);
  return [
    ...decideContexts(survey, candidates, now).sort(byTag),
    ...decideUnfinished(survey, candidates, now).sort(byTag),
    ...releases.sort(byTag),
  ];
}

/** `true` for the name that a release was made for; `false` for further and promoted names. */
export function isOwnName(
  repository: string,
  tag: string,
  { image, promotion }: Pick<ReleaseRecord, 'image' | 'promotion'>,
): boolean {
  return image.reference === `${repository}:${tag}` && promotion === undefined;
}

/** What is removed with a release: its own tags that point where the record says, and last the record itself. */
function removalsOf(survey: Survey, tag: string, record: ReleaseRecord): Removal[] {
  const find = (repository: string, digest: string | null, name = tag): Removal[] => {
    const found = (survey.tags.get(repository) ?? []).find((one) => one.tag === name);
    if (!found || (digest !== null && found.digest !== digest)) return [];
    return [{ repository, tag: name, digest: found.digest, entries: found.entries, nameOnly: false }];
  };
  // Another release may have such a tag. One that an interrupted prune left has no index any more.
  const entry = (repository: string, name: string) => (survey.records.has(name) ? [] : find(repository, null, name));
  return [
    ...find(survey.repository, record.image.digest),
    ...(record.image.platforms ?? []).flatMap(({ platform }) => entry(survey.repository, entryTag(tag, platform))),
    ...record.disks.flatMap(({ reference, digest }) => {
      const repository = reference?.slice(0, reference.lastIndexOf(':'));
      if (repository === undefined || digest === null) return [];
      return [...find(repository, digest), ...ARCHITECTURES.flatMap((one) => entry(repository, entryTag(tag, one)))];
    }),
    ...(record.logs ?? []).flatMap(({ repository, digest }) => find(repository, digest, contextTag(digest))),
    ...find(survey.recordRepository, null),
  ];
}

/** Keeps candidates whose digests something else needs, or removes only their tag where that is possible. */
function settle(
  survey: Survey,
  candidates: Map<string, { reason: PruneReason; removals: Removal[] }>,
  kept: Map<string, PruneReason>,
): void {
  for (let changed = true; changed;) {
    changed = false;
    const used = usedDigests(survey, candidates);
    for (const [tag, candidate] of candidates) {
      const conflicts = candidate.removals.some(({ repository, digest }) => used(repository, digest));
      if (conflicts && survey.deletion !== 'tag') {
        candidates.delete(tag);
        kept.set(tag, 'in-use');
        changed = true;
        continue;
      }
      candidate.removals = candidate.removals.map((removal) => ({
        ...removal,
        nameOnly: used(removal.repository, removal.digest),
        entries: removal.entries.filter((entry) => !used(removal.repository, entry)),
      }));
    }
  }
}
