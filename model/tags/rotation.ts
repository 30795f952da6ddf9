/** Key rotation: what one key has signed in a repository is signed by another as well. */
import { z } from 'zod';
import { TimingSchema } from '../base/timing.ts';
import { Repository } from '../oci/reference.ts';

/** Workflow type. */
export const ROTATION_WORKFLOW = 'keyRotation';
/** Query on it: the whole report, which may be too long for a result. */
export const ROTATION_REPORT_QUERY = 'report';

/** Workflow id: one rotation of a repository at a time. */
export function rotationId(repository: string): string {
  return `rotation/${repository}`;
}

export const RotationRequest = z.object({
  schemaVersion: z.literal(1),
  repository: Repository,
  /** `repositories.record` of the releases' spec. */
  recordRepository: Repository,
  /** Names in the sign worker's configuration. */
  oldKey: z.string(),
  newKey: z.string(),
  /** This many of the newest releases, and every further name; null for all. */
  keepLast: z.number().int().min(1).nullable(),
  dryRun: z.boolean(),
  timing: TimingSchema,
});
export type RotationRequest = z.infer<typeof RotationRequest>;

/** What becomes of a tag, in words. */
export const ROTATION_REASONS = {
  unsigned: 'not yet signed by the new key',
  signed: 'signed by the new key',
  old: 'not among the newest releases',
  incomplete: 'image, disks or record are not what the record says, or not all signed by the old key',
  foreign: 'no release: neither key has signed a record of it',
} as const;
export type RotationReason = keyof typeof ROTATION_REASONS;

/** Tags of the image's repository for which the same holds. */
export const RotationGroup = z.object({
  reason: z.enum(Object.keys(ROTATION_REASONS) as [RotationReason, ...RotationReason[]]),
  tags: z.array(z.string()),
});
export type RotationGroup = z.infer<typeof RotationGroup>;

/** The answer of the query. */
export const RotationReport = z.object({
  schemaVersion: z.literal(1),
  repository: Repository,
  oldKey: z.string(),
  newKey: z.string(),
  dryRun: z.boolean(),
  /** How the tags stand now. */
  tags: z.array(RotationGroup),
  /** Every tag that the old key verifies, and that is not left out as old, is verified by the new one alone. */
  complete: z.boolean(),
});
export type RotationReport = z.infer<typeof RotationReport>;

/** `true` when no live tag needs the old key any more. */
export function isRotated(groups: readonly RotationGroup[]): boolean {
  return groups.every(({ reason }) => reason !== 'unsigned' && reason !== 'incomplete');
}
