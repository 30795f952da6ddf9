/** Which digests of a repository are still needed. Pure. */
import type { Removal, Survey } from './surveyed.ts';

/** Says whether a tag that stays, a kept record or an open release needs a digest of a repository. */
export function usedDigests(
  survey: Survey,
  candidates: ReadonlyMap<string, { removals: readonly Removal[] }>,
): (repository: string, digest: string) => boolean {
  const goes = new Set(
    [...candidates.values()].flatMap(({ removals }) => removals.map(({ repository, tag }) => `${repository}:${tag}`)),
  );
  const used = new Set<string>();
  for (const [repository, list] of survey.tags) {
    for (const { tag, digest, entries } of list) {
      if (goes.has(`${repository}:${tag}`)) continue;
      for (const one of [digest, ...entries]) used.add(`${repository}@${one}`);
    }
  }
  // A digest that an open release or a kept record names is needed wherever it lies.
  const everywhere = new Set(survey.releases.flatMap(({ closedAt, digests }) => (closedAt === null ? digests : [])));
  for (const [tag, verified] of survey.records) {
    if (!verified || candidates.has(tag)) continue;
    const { image, disks, logs = [] } = verified.record;
    for (const { digest } of [image, ...disks, ...logs]) if (digest) everywhere.add(digest);
  }
  return (repository, digest) => everywhere.has(digest) || used.has(`${repository}@${digest}`);
}
