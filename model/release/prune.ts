/** Pruning: which releases of a repository are kept, and the input and result of the `prune` workflow. */
import { z } from 'zod';
import { Repository } from '../oci/reference.ts';
import type { ReleaseRecord } from './record.ts';
import { TimingSchema } from '../base/timing.ts';

/** Workflow type, also the activity's name. */
export const PRUNE_WORKFLOW = 'prune';
/** Query on `prune`: the whole report, which may be too long for a result. */
export const PRUNE_REPORT_QUERY = 'report';

/**
 * Workflow and schedule id: one prune of a repository at a time. A schedule appends the time to the ids of its runs.
 */
export function pruneId(repository: string): string {
  return `prune/${repository}`;
}

/** Which releases are kept. Either rule keeps a release. */
export const PrunePolicy = z.object({
  /** This many of the newest releases, by the time of their records. */
  keepLast: z.number().int().min(1),
  /** Releases younger than this (ms). */
  keepWithin: z.number().int().nonnegative(),
});
export type PrunePolicy = z.infer<typeof PrunePolicy>;

export const PruneRequest = PrunePolicy.extend({
  schemaVersion: z.literal(1),
  repository: Repository,
  /** `repositories.record` and `repositories.context` of the releases' spec. */
  recordRepository: Repository,
  contextRepository: Repository,
  dryRun: z.boolean(),
  timing: TimingSchema,
});
export type PruneRequest = z.infer<typeof PruneRequest>;

/** Why something is kept or removed, in words. */
export const PRUNE_REASONS = {
  old: 'older than what is kept',
  leftover: 'its image is gone already: an earlier prune was interrupted, or somebody deleted it',
  unfinished: 'a release that failed or was cancelled left it',
  unused: 'no kept record and no open release names it',
  last: 'among the newest releases',
  young: 'younger than --keep-within',
  open: 'a release of that name runs or is held',
  foreign: 'no release: it has no record',
  unverified: 'its record is not signed by a key of the sign worker',
  shared: 'a further name of another release, or what one was promoted to',
  moved: 'points at something else than its record says',
  'in-use': 'the registry only deletes by digest, and another tag, record or open release uses one of its digests',
  'not-listed': 'one of its disks lies in a repository that the key of its record does not list',
  named: 'a kept record or an open release names it',
  'age-unknown': 'no record and no release that Temporal knows tells how old it is',
} as const;
export type PruneReason = keyof typeof PRUNE_REASONS;

/** Tags of one kind with the same decision. */
export const PruneGroup = z.object({
  /**
   * `release`: tags of the image repository; `context`: tags of the context repository; `unfinished`: what releases
   * that moved no tag left, as `repository@digest`.
   */
  kind: z.enum(['release', 'context', 'unfinished']),
  verdict: z.enum(['remove', 'keep']),
  reason: z.enum(Object.keys(PRUNE_REASONS) as [PruneReason, ...PruneReason[]]),
  /** Sorted. */
  tags: z.array(z.string()),
});
export type PruneGroup = z.infer<typeof PruneGroup>;

/** The answer of the query: what was or would be removed, and what was kept. */
export const PruneReport = z.object({
  schemaVersion: z.literal(1),
  repository: Repository,
  dryRun: z.boolean(),
  removed: z.array(PruneGroup),
  kept: z.array(PruneGroup),
});
export type PruneReport = z.infer<typeof PruneReport>;

/** The workflow's result: the counts alone. */
export const PruneResult = z.object({ removed: z.number().int(), kept: z.number().int() });
export type PruneResult = z.infer<typeof PruneResult>;

/** When a release ended (ms since 1970): the end of its last stage. */
export function recordTime({ stages }: Pick<ReleaseRecord, 'stages'>): number {
  const ends = stages.flatMap(({ startedAt, durationMs }) =>
    startedAt === null ? [] : [Date.parse(startedAt) + (durationMs ?? 0)],
  );
  return Math.max(0, ...ends);
}
