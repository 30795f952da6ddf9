/** What the verbs about a project print with `--json`. */
import { z } from 'zod';
import { ROLES } from '../contract/queue.ts';
import { Digest } from '../oci/reference.ts';
import { RecordedGate } from '../gate/gate.ts';
import { PinnedImage } from '../release/record.ts';
import { STAGES } from '../stage/stage.ts';

/** Of `flightline init`: what was written, and what was chosen. */
export const InitDocument = z.object({
  directory: z.string(),
  /** Names of files in the directory. */
  files: z.array(z.string()),
  target: z.string(),
  base: z.string(),
  binding: z.enum(['early', 'late']),
  podmanCompose: z.boolean(),
  /** Who may log in by SSH; null for nobody. */
  user: z.object({ name: z.string(), key: z.string() }).nullable(),
  repository: z.string(),
  baseImage: z.string(),
  /** Null for bootc-image-builder. */
  builderImage: z.string().nullable(),
});

/** Of `flightline lint`. */
export const LintDocument = z.object({
  /** `false` with `--strict` when something is found. */
  ok: z.boolean(),
  findings: z.array(
    z.object({
      /** A rule of docs/lint.md. */
      rule: z.string(),
      file: z.string(),
      /** From 1. */
      line: z.number().int().positive(),
      message: z.string(),
      reason: z.string(),
      /** How to silence it. */
      silence: z.string(),
    }),
  ),
  /** How many a comment silenced. */
  silenced: z.number().int().nonnegative(),
});

/** Of `flightline run --dry-run`. */
export const PlanDocument = z.object({
  schemaVersion: z.literal(1),
  dryRun: z.literal(true),
  /** Workflow id that the release would have. */
  release: z.string(),
  /** `unchanged`: the same inputs were released before, and nothing would be built. */
  outcome: z.enum(['release', 'unchanged']),
  image: z.object({
    reference: z.string(),
    alsoTag: z.array(z.string()),
    /** The tag that machines installed from the disks follow. */
    updateFrom: z.string(),
    tagPolicy: z.enum(['create', 'move']),
    /** What the tag points at now; null when it does not exist. */
    existing: z.string().nullable(),
  }),
  disks: z.array(z.object({ type: z.string(), form: z.string(), reference: z.string().nullable() })),
  inputs: z.object({
    image: z.string(),
    base: z.array(PinnedImage),
    builder: PinnedImage.nullable(),
    installer: PinnedImage.optional(),
    gates: z.array(RecordedGate).optional(),
    context: Digest,
  }),
  /** Build hosts that could take it up now. */
  hosts: z.array(z.string()),
  stages: z.array(
    z.object({
      name: z.enum(STAGES),
      /** `image`, `release`, a disk type, or the types of a builder run. */
      subject: z.string(),
      /** Which kind of worker does it. */
      worker: z.enum(ROLES),
    }),
  ),
  checks: z.array(
    z.object({
      name: z.string(),
      status: z.enum(['ok', 'warning', 'failed', 'not-run']),
      detail: z.string(),
      /** What to do; null when all is well. */
      remedy: z.string().nullable(),
    }),
  ),
});

/** Of `flightline logs`. */
export const LogsDocument = z.object({
  /** Workflow id. */
  release: z.string(),
  logs: z.array(
    z.object({
      stage: z.string(),
      /** `image`, `release`, a disk type, or the types of a builder run; may be empty for the log of a failure. */
      subject: z.string(),
      /** The host that wrote it, and its path there. */
      host: z.string(),
      path: z.string(),
      /** When the stage began, ISO 8601; null when it is not known. */
      startedAt: z.string().nullable(),
      text: z.string(),
    }),
  ),
});
