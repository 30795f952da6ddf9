/** Messages that workflows receive, by their names in model/contract/workflows.ts. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import {
  RECORD_QUERY,
  RETRY_UPDATE,
  type BuilderRunFailure,
  type RetryInput,
  type RetryResult,
} from '../model/contract/workflows.ts';
import type { Failure } from '../model/failure/failure.ts';
import { HELD_SIGNAL, type HeldNotice } from '../model/release/nightly.ts';
import { PRUNE_REPORT_QUERY, type PruneReport } from '../model/release/prune.ts';
import { ROTATION_REPORT_QUERY, type RotationReport } from '../model/tags/rotation.ts';
import { PROMOTION_QUERY, type Promotion } from '../model/tags/promotion.ts';
import type { ReleaseRecord } from '../model/release/record.ts';

/** Where a release stands. */
export const recordQuery = defineQuery<ReleaseRecord>(RECORD_QUERY);

/** Where a builder run stands; `failure` is null unless it failed. */
export type BuilderRunState = Omit<BuilderRunFailure, 'failure'> & { failure: Failure | null };
export const builderRunQuery = defineQuery<BuilderRunState>(RECORD_QUERY);

/** Resumes what is held. */
export const retryUpdate = defineUpdate<RetryResult, [RetryInput]>(RETRY_UPDATE);

/** A release tells the nightly run that started it that it is held. */
export const heldSignal = defineSignal<[HeldNotice]>(HELD_SIGNAL);

/**
 * A builder run tells its release that it works on another host, so that clean-up reaches that host in any case.
 */
export const hostSignal = defineSignal<[string]>('hostClaimed');

/** Where a promotion stands. */
export const promotionQuery = defineQuery<Promotion>(PROMOTION_QUERY);

/** What a prune removed and kept. */
export const pruneReportQuery = defineQuery<PruneReport>(PRUNE_REPORT_QUERY);

/** How the tags of a repository stand between two keys. */
export const rotationReportQuery = defineQuery<RotationReport>(ROTATION_REPORT_QUERY);
