/**
 * A shared tag, such as `nightly` or `stable`, moves from release to release. One workflow makes all its moves and
 * keeps its history. It moves the tag to an older release only when asked to.
 */
import { z } from 'zod';
import { ReleaseIdentity } from '../release/identity.ts';
import { TagMove } from './tag-move.ts';
import { failureOf, type Failure } from '../failure/failure.ts';
import { Digest, releaseId, Repository, Tag, parseReference } from '../oci/reference.ts';
import type { ReleaseRecord } from '../release/record.ts';
import { TimingSchema } from '../base/timing.ts';

/** Workflow type: keeps a tag. */
export const SHARED_TAG_WORKFLOW = 'sharedTag';

/** Messages of `sharedTag`. */
export const MOVE_UPDATE = 'move';
export const ROLLBACK_UPDATE = 'rollback';
export const HISTORY_QUERY = 'history';
export const RECORDED_SIGNAL = 'recorded';

/** The id of the workflow that keeps a shared tag. */
export function sharedTagId(repository: string, tag: string): string {
  return `tag/${repository}:${tag}`;
}

/** Who moved a tag: a release with it in `alsoTag`, a promotion, a rollback, or another tool (`found`). */
const MOVE_KINDS = ['release', 'promotion', 'rollback', 'found'] as const;

/** Longest reason, and longest name of a person (characters). */
export const MAX_WORDS = 200;
const Words = z.string().max(MAX_WORDS);

/** What a shared tag pointed at from `at` until the next entry's `at`. */
export const TagEntry = z.object({
  kind: z.enum(MOVE_KINDS),
  /** Of the image. */
  digest: Digest,
  /** Digest of the signed record; null when it is not written yet, or not found. */
  record: Digest.nullable(),
  /** The workflow id of the release that made the image; null without a verified record. */
  release: z.string().nullable(),
  /** When that release began, ISO 8601, which decides what is older. */
  made: z.string().nullable(),
  /** When the tag was moved, or found, ISO 8601. */
  at: z.string(),
  /** Who asked for it; null for a release. */
  by: Words.nullable(),
  why: Words,
});
export type TagEntry = z.infer<typeof TagEntry>;

/** Input of `sharedTag`, also when it continues as new. */
export const SharedTagInput = z.object({
  repository: Repository,
  tag: Tag,
  /** The oldest first. The tag points at the last one. */
  entries: z.array(TagEntry),
  /** After how many messages the workflow continues as new, for tests. */
  messagesPerRun: z.number().int().positive().optional(),
});
export type SharedTagInput = z.infer<typeof SharedTagInput>;

/** Input of the update `move`. */
export const MoveInput = ReleaseIdentity.extend({
  kind: z.enum(['release', 'promotion']),
  /** The workflow id of the release that made the image, and when it began. */
  madeBy: z.string(),
  made: z.string().nullable(),
  by: Words.nullable(),
  why: Words,
  /** Moves the tag even from a newer release. */
  allowOlder: z.boolean(),
  key: z.string(),
  recordRepository: Repository,
  /** What moves together. The last one is the shared tag itself. */
  moves: z.array(TagMove).min(1),
  timing: TimingSchema,
});
export type MoveInput = z.infer<typeof MoveInput>;

export const MoveResult = z.object({
  /** Why the tag was not moved, in words; null when it was. */
  refused: z.string().nullable(),
  /** `repository:tag` of everything that moved. */
  moved: z.array(z.string()),
  /** Digests that the registry has lost. If there are any, no tag has moved. */
  vanished: z.array(Digest),
});
export type MoveResult = z.infer<typeof MoveResult>;

/** Input of the signal `recorded`, sent when the record for the tag's last move is written. */
export const Recorded = z.object({ digest: Digest, record: Digest });
export type Recorded = z.infer<typeof Recorded>;

/**
 * Why a tag may not be moved, in words; null when it may. It goes to what was made later, never back; and a release
 * that had begun when a person rolled the tag back does not undo that.
 */
export function refusalOfMove(
  entries: readonly TagEntry[],
  move: Pick<MoveInput, 'kind' | 'made' | 'allowOlder'> & { digest: string },
): string | null {
  const now = entries.at(-1);
  if (!now || move.allowOlder || move.made === null || now.digest === move.digest) return null;
  const whose = now.release ? `of ${now.release.replace(/^release\//, '')}, which began` : 'made';
  if (now.made !== null && move.made < now.made) {
    return `it points at ${now.digest} ${whose} later, at ${now.made}`;
  }
  if (now.kind === 'rollback' && move.kind === 'release' && move.made < now.at) {
    return `${now.by ?? 'somebody'} rolled it back at ${now.at}, after this release had begun`;
  }
  return null;
}

/**
 * Why a promotion may not move a tag; null when it may. It never replaces the tag that a release was made for.
 *
 * @param release workflow id of the release that made what the tag points at; null when it is not known
 */
export function refusalOfPromotion(repository: string, tag: string, release: string | null): Failure | null {
  if (release !== releaseId(repository, tag)) return null;
  return failureOf('tag-exists', `${repository}:${tag} is a release's own tag: a promotion does not replace it`, {
    remedy: { action: 'promote to another tag', then: null },
  });
}

/** Input of the update `rollback`. */
export const RollbackInput = z.object({
  recordRepository: Repository,
  /** Where to go: digest of an image, or digest or tag of a record; null for the previous entry. */
  to: z.union([Digest, Tag]).nullable(),
  by: Words,
  why: Words,
  timing: TimingSchema,
});
export type RollbackInput = z.infer<typeof RollbackInput>;

/** Answer of the update `rollback`. */
export const RollbackResult = z.object({ from: TagEntry.nullable(), to: TagEntry, moved: z.array(z.string()) });
export type RollbackResult = z.infer<typeof RollbackResult>;

/** Answer of the query `history`. */
export const TagHistory = z.object({
  repository: Repository,
  tag: Tag,
  /** The oldest first, as many as fit in a payload. */
  entries: z.array(TagEntry),
});
export type TagHistory = z.infer<typeof TagHistory>;

/** What `flightline history --json` prints. `complete`: Temporal has kept every move, not only what is there now. */
export const HistoryDocument = TagHistory.extend({ complete: z.boolean() });

/** Input of `lookAtTag`, and the question what a tag without a workflow of its own points at. */
export const LookAtTagInput = z.object({
  repository: Repository,
  tag: Tag,
  recordRepository: Repository,
  timing: TimingSchema,
});
export type LookAtTagInput = z.infer<typeof LookAtTagInput>;

export const TagNow = z.object({
  /** What it points at; null when there is no such tag. */
  digest: Digest.nullable(),
  /** The verified record of that; null when there is none. */
  record: z.object({ digest: Digest, release: z.string(), made: z.string().nullable() }).nullable(),
});
export type TagNow = z.infer<typeof TagNow>;

/**
 * When the image of a record was made: when its release began, or when the image that it took over was built. Null when
 * the record does not say.
 */
export function madeAt(record: Pick<ReleaseRecord, 'image' | 'stages'>): string | null {
  return record.image.builtAt ?? record.stages.find(({ name }) => name === 'resolve')?.startedAt ?? null;
}

/**
 * Disks have the tag only when the record is for that tag, since further tags of a release are for the image alone.
 * Pure.
 */
export function diskMoves(record: ReleaseRecord, repository: string, tag: string): TagMove[] {
  if (record.image.reference !== `${repository}:${tag}`) return [];
  return record.disks.flatMap(({ reference, digest }): TagMove[] => {
    const parsed = reference === null ? null : parseReference(reference);
    if (!parsed?.ok || digest === null) return [];
    return [{ repository: parsed.reference.repository, tag, digest, expected: { leftBy: repository } }];
  });
}
