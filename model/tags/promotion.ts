/**
 * A promotion gives the image and disks of a release another name, with signatures and a record for it. It builds
 * nothing, and transfers no blob within one registry.
 */
import { z } from 'zod';
import { DISK_TYPE_NAMES } from '../spec/disk.ts';
import { Approval } from '../release/approval.ts';
import { Failure } from '../failure/failure.ts';
import type { DiskRecord, ReleaseRecord } from '../release/record.ts';
import { Digest, parseReference, Repository, Tag } from '../oci/reference.ts';
import { TimingSchema } from '../base/timing.ts';

export const PROMOTION_WORKFLOW = 'promotion';
/** Query: a {@link Promotion}. */
export const PROMOTION_QUERY = 'promotion';

const PREFIX = 'promote/';

/** The workflow id of a promotion: one at a time for each target. */
export function promotionId(repository: string, tag: string): string {
  return `${PREFIX}${repository}:${tag}`;
}

/** `repository:tag` of a promotion's workflow id; `undefined` for other texts. */
export function promotionTarget(text: string): string | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  const parsed = parseReference(text.slice(PREFIX.length));
  return parsed.ok && parsed.reference.tag && !parsed.reference.digest ? text.slice(PREFIX.length) : undefined;
}

const Name = z.object({ repository: Repository, tag: Tag });
const Words = z.string().max(200);

export const PromotionRequest = z.object({
  schemaVersion: z.literal(1),
  source: Name,
  /** Where the source's record is. */
  recordRepository: Repository,
  target: Name,
  /** Name of the key to sign with; null for the key that signed the source. */
  key: z.string().nullable(),
  approval: z.literal('required').optional(),
  /** Moves the target even when it points at something newer. */
  allowOlder: z.boolean(),
  by: Words,
  comment: Words,
  timing: TimingSchema,
});
export type PromotionRequest = z.infer<typeof PromotionRequest>;

/** A kind of attestation, and what it is about: the image, one of its platforms, or a disk. */
const Attested = z.object({ predicateType: z.string(), of: Digest });

/** An image or disk that is promoted. */
export const PromotedItem = z.object({
  /** `image`, or a disk's type. */
  subject: z.enum(['image', ...DISK_TYPE_NAMES]),
  digest: Digest,
  from: Name,
  to: Name,
  /** What is attested of it; absent when nothing is. */
  attested: z.array(Attested).optional(),
});
export type PromotedItem = z.infer<typeof PromotedItem>;

/** The plan of a promotion, with everything mutable resolved. */
export const PromotionPlan = z.object({
  /** Names of the keys: the one that signed the source, and the one that signs the target. */
  sourceKey: z.string(),
  key: z.string(),
  /** Digest of the source's record. */
  record: Digest,
  /** Where the target's record goes. */
  recordRepository: Repository,
  /** Workflow id of the source's release, and when it began. */
  madeBy: z.string(),
  made: z.string().nullable(),
  /** `true` when the operator requires approval. */
  approval: z.boolean(),
  /** The disks, then the image. */
  items: z.array(PromotedItem).min(1),
});
export type PromotionPlan = z.infer<typeof PromotionPlan>;

const PROMOTION_STATUSES = ['running', 'held', 'promoted', 'failed', 'cancelled'] as const;

/** The state of a promotion, which is also its result. */
export const Promotion = z.object({
  schemaVersion: z.literal(1),
  /** The workflow id. */
  promotion: z.string(),
  runId: z.string(),
  status: z.enum(PROMOTION_STATUSES),
  source: z.string(),
  target: z.string(),
  /** Name of the key; null until it is known. */
  key: z.string().nullable(),
  /** The current step, in words. */
  step: z.string(),
  /** Each with its new name; empty until looked up. */
  items: z.array(
    z.object({
      subject: z.string(),
      reference: z.string(),
      digest: Digest,
      verified: z.boolean(),
      /** Number of mounted blobs; null before the copy, or when blobs were transferred. */
      mounted: z.number().int().nonnegative().nullable(),
    }),
  ),
  /** Digest of the record of the new name; null until it is published. */
  record: Digest.nullable(),
  approval: Approval.nullable(),
  failure: Failure.nullable(),
});
export type Promotion = z.infer<typeof Promotion>;

/** Details of the failure with which a promotion ends. */
export const PromotionFailure = z.object({ promotion: Promotion });

// ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The target's repository for disks or records: the target's name, with what follows the source's name. A repository
 * that does not begin with the source's name serves both. Pure.
 */
export function counterpart(repository: string, source: string, target: string): string {
  return repository.startsWith(source) ? target + repository.slice(source.length) : repository;
}

/**
 * The items to copy: the published disks of the record, then the image.
 *
 * @returns the items, or in words why the record cannot be promoted
 */
export function promotedItems(
  record: Pick<ReleaseRecord, 'image' | 'disks' | 'attestations'>,
  source: z.infer<typeof Name>,
  target: z.infer<typeof Name>,
): { ok: true; items: PromotedItem[] } | { ok: false; problem: string } {
  const items: PromotedItem[] = [];
  for (const { subject, reference, digest } of [
    ...record.disks.map((disk) => ({ ...disk, subject: disk.type })),
    { subject: 'image' as const, ...record.image },
  ]) {
    if (reference === null || (digest === null && subject !== 'image')) continue;
    const parsed = parseReference(reference);
    if (!parsed.ok || parsed.reference.tag === undefined || digest === null) {
      return { ok: false, problem: `its record names no complete ${subject}` };
    }
    const from = { repository: parsed.reference.repository, tag: parsed.reference.tag };
    const to = { repository: counterpart(from.repository, source.repository, target.repository), tag: target.tag };
    const attested = (record.attestations ?? []).filter((one) => one.subject === subject);
    items.push({
      subject,
      digest,
      from,
      to,
      ...(attested.length > 0 && { attested: attested.map(({ predicateType, of }) => ({ predicateType, of })) }),
    });
  }
  const taken = items.map(({ to }) => to.repository);
  const twice = taken.find((name, index) => taken.indexOf(name) !== index);
  return twice === undefined ? { ok: true, items } : { ok: false, problem: `two of its parts would both be ${twice}` };
}

const withoutPath = (file: DiskRecord['file']) => file && { ...file, path: null };

/** The record of the new name: the source's record with the new names and its origin. Pure. */
export function promotedRecord(
  record: ReleaseRecord,
  {
    request,
    plan,
    at,
    approval,
  }: { request: PromotionRequest; plan: PromotionPlan; at: string; approval: Approval | null },
): ReleaseRecord {
  const { source, by, comment } = request;
  const { approval: _, ...rest } = record;
  // They were of devices that follow another tag.
  const { updates: _updates, ...image } = record.image;
  const nameOf = (subject: string) => {
    const to = plan.items.find((item) => item.subject === subject)?.to;
    return to === undefined ? undefined : `${to.repository}:${to.tag}`;
  };
  return {
    ...rest,
    status: 'released',
    image: { ...image, reference: nameOf('image')!, verified: true },
    disks: record.disks.map((disk) => ({
      ...disk,
      reference: nameOf(disk.type) ?? null,
      file: withoutPath(disk.file),
      ...(disk.platforms && { platforms: disk.platforms.map((one) => ({ ...one, file: withoutPath(one.file) })) }),
    })),
    ...(approval && { approval }),
    promotion: { source: `${source.repository}:${source.tag}`, record: plan.record, at, by, comment },
  };
}
