/** Activities of control and sign workers for promotions and shared tags: inputs and results. */
import { z } from 'zod';
import { TimingSchema } from '../base/timing.ts';
import { Digest, Tag } from '../oci/reference.ts';
import { Approval } from '../release/approval.ts';
import { ReleaseIdentity } from '../release/identity.ts';
import { PromotedItem, PromotionPlan, PromotionRequest } from '../tags/promotion.ts';
import { LookAtTagInput, MoveInput, MoveResult, TagNow } from '../tags/shared-tag.ts';
import { TagMove } from '../tags/tag-move.ts';
import { attempts, on } from './activity.ts';

export const PlanPromotionInput = z.object({ request: PromotionRequest, timing: TimingSchema });
export type PlanPromotionInput = z.infer<typeof PlanPromotionInput>;

export const PromoteCopyInput = ReleaseIdentity.extend({
  item: PromotedItem,
  /** The key that signed the source. */
  sourceKey: z.string(),
  /** The key that will sign it. It must list the target. */
  key: z.string(),
  timing: TimingSchema,
});
export type PromoteCopyInput = z.infer<typeof PromoteCopyInput>;

export const PromoteRecordInput = ReleaseIdentity.extend({
  request: PromotionRequest,
  plan: PromotionPlan,
  /** When the promotion began, ISO 8601. */
  at: z.string(),
  approval: Approval.nullable(),
  timing: TimingSchema,
});
export type PromoteRecordInput = z.infer<typeof PromoteRecordInput>;

/** Input of `planRollback`. */
export const PlanRollbackInput = LookAtTagInput.extend({
  /** Digest or tag of the record to go back to. */
  record: z.union([Digest, Tag]),
});
export type PlanRollbackInput = z.infer<typeof PlanRollbackInput>;

export const RollbackPlan = z.object({
  /** Name of the key that signed the record. */
  key: z.string(),
  record: Digest,
  release: z.string(),
  made: z.string().nullable(),
  /** Disks, image and record. */
  moves: z.array(TagMove).min(1),
});
export type RollbackPlan = z.infer<typeof RollbackPlan>;

export const TAG_ACTIVITIES = {
  /** Asks the tag's workflow for the move, and starts it if there is none. Returns when the tag has moved or stays. */
  moveSharedTag: on('control', 'tags/move-shared-tag', MoveInput, MoveResult.extend({ attempts })),
  /** What a tag points at, with its record if a configured key signed it for this name. */
  lookAtTag: on('control', 'tags/look-at-tag', LookAtTagInput, TagNow.extend({ attempts })),
  /** Plans a rollback to a record. Changes nothing. */
  planRollback: on('control', 'tags/plan-rollback', PlanRollbackInput, RollbackPlan.extend({ attempts })),
  /** Reads the verified record of the source, and plans the promotion. Changes nothing. */
  planPromotion: on('control', 'tags/plan-promotion', PlanPromotionInput, PromotionPlan.extend({ attempts })),
  /**
   * Copies a digest with its attestations to the target's repository, without a tag. `mounted` is null when blobs were
   * transferred.
   */
  promoteCopy: on(
    'sign',
    'tags/promote-copy',
    PromoteCopyInput,
    z.object({ attempts, mounted: z.number().nullable() }),
  ),
  /** Publishes and signs the record for the new name. Tags it unless the target has moved meanwhile. */
  promoteRecord: on('sign', 'tags/promote-record', PromoteRecordInput, z.object({ attempts, digest: Digest })),
};
