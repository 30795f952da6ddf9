/** What the verbs about approval, tags, schedules and pruning print with `--json`. */
import { z } from 'zod';
import { ARCHITECTURES } from '../base/host.ts';
import { Digest } from '../oci/reference.ts';
import { NightlyResult } from '../release/nightly.ts';
import { PruneReport } from '../release/prune.ts';
import { RollbackResult } from '../tags/shared-tag.ts';

/** Of `flightline approve` and `reject`. */
export const DecisionDocument = z.object({
  /** Workflow id of the release or promotion. */
  workflow: z.string(),
  reference: z.string(),
  decision: z.enum(['approve', 'reject']),
  by: z.string(),
  /** Empty without one. */
  comment: z.string(),
  /** The platform without which the release goes on; absent where tags or their rejection were decided. */
  without: z.enum(ARCHITECTURES).optional(),
  /** What was decided about: the image's digest, then those of disks. */
  digests: z.array(Digest),
});

/** Of `flightline approve --waive`. */
export const WaiverDocument = z.object({
  /** Workflow id. */
  release: z.string(),
  reference: z.string(),
  gate: z.string(),
  by: z.string(),
  comment: z.string(),
  /** What it is waived for. */
  digests: z.array(Digest),
  /** The branches that go on; none while another gate holds them. */
  resumed: z.array(z.string()),
});

/** Of `flightline rollback`. */
export const RollbackDocument = RollbackResult.extend({ repository: z.string(), tag: z.string() });

/** A schedule, of `flightline schedule list`, `pause` and `resume`. */
const Schedule = z.object({
  /** `nightly/<repository>`. */
  id: z.string(),
  repository: z.string(),
  cron: z.string(),
  timeZone: z.string(),
  supersede: z.boolean(),
  paused: z.boolean(),
  /** Why it is paused; null without a reason. */
  note: z.string().nullable(),
  /** URL and ref of a git context; `sent once` for a directory. */
  context: z.string(),
  /** As written, with their templates. */
  tag: z.string(),
  alsoTag: z.array(z.string()),
  rebuild: z.enum(['always', 'when-changed']),
  /** Workflow id of the current run; null when none runs. */
  running: z.string().nullable(),
  /** Runs that were left out: the one before was not done yet, or the server was away for too long. */
  leftOut: z.object({ overlap: z.number().int(), late: z.number().int() }),
  /** ISO 8601; null before the first run. */
  lastAt: z.string().nullable(),
  /** ISO 8601; null while it is paused. */
  nextAt: z.string().nullable(),
});

/** Of `flightline schedule show`, and of the verbs that change one: parts that are absent were not asked for. */
export const ScheduleDocument = Schedule.extend({
  /** Of `set`: whether there was none before, and which of its times a change of clocks affects. */
  created: z.boolean().optional(),
  warnings: z.array(z.string()).optional(),
  /** Of `show`: the last runs, the newest first, and what a run would do now. */
  runs: z
    .array(
      NightlyResult.omit({ outcome: true }).extend({
        /** When it began, and for when it was scheduled, ISO 8601. */
        at: z.string(),
        scheduledAt: z.string(),
        outcome: z.enum([...NightlyResult.shape.outcome.options, 'running', 'forgotten']),
      }),
    )
    .optional(),
  now: z.object({ change: z.enum(['image', 'part', 'none', 'unknown']), reason: z.string() }).optional(),
});

/** Of `flightline schedule list`. */
export const SchedulesDocument = z.object({ schedules: z.array(Schedule) });

/** Of `flightline schedule delete`. */
export const DeletedScheduleDocument = z.object({ repository: z.string(), deleted: z.literal(true) });

/** Of `flightline prune`; with `--cron` and `--unschedule` of its schedule. */
export const PruneDocument = z.union([
  PruneReport,
  z.object({
    /** Id of the schedule. */
    schedule: z.string(),
    cron: z.string(),
    timeZone: z.string(),
    /** When it runs next, ISO 8601. */
    next: z.string().nullable(),
  }),
  z.object({ schedule: z.string(), deleted: z.literal(true) }),
]);
