/** What a dry run asks of workflows and activities: as in contract.ts, but nothing comes of it. */
import { z } from 'zod';
import { on } from './activity.ts';
import { BuilderConfig, ReleaseIdentity } from '../release/identity.ts';
import { ResolveResult } from './control.ts';
import { Failure } from '../failure/failure.ts';
import { Digest } from '../oci/reference.ts';
import { ReleaseRequest } from '../spec/request.ts';

/** Workflow type. */
export const PLAN_WORKFLOW = 'plan';

/** What of a context decides a release: worked out from its files, by whoever has them. */
export const ContextSummary = z.object({
  /** Digest of the context artifact, whether or not it was sent. */
  digest: Digest,
  /** Digest over the context's files and the Containerfile, without the builder configuration. */
  files: Digest,
  /** The images of registries that the Containerfile seems to use. */
  images: z.array(z.string()),
  /** The one that its last stage seems to be built on; null for `scratch`, or when that is not known. */
  base: z.string().nullable(),
  builderConfig: BuilderConfig.nullable(),
});
export type ContextSummary = z.infer<typeof ContextSummary>;

/**
 * For a dry run: as resolve, but of a context that was not sent; null for a git context, which is packed and not sent.
 */
export const PlanInput = ReleaseIdentity.extend({ request: ReleaseRequest, context: ContextSummary.nullable() });
export type PlanInput = z.infer<typeof PlanInput>;

/**
 * Besides what resolve would answer: the image that the last stage seems to be built on, and those that could not be
 * looked up.
 */
export const PlanResult = ResolveResult.extend({ base: z.string().nullable(), notFound: z.array(z.string()) });
export type PlanResult = z.infer<typeof PlanResult>;

/** Input of the `plan` workflow, a dry run's look at what a release would be made of. */
export const PlanWorkflowInput = PlanInput.pick({ request: true, context: true });
export type PlanWorkflowInput = z.infer<typeof PlanWorkflowInput>;

/** What it answers. It fails with what resolve would reject. */
export const PlanWorkflowResult = z.object({
  resolved: PlanResult,
  /** Why the result could not be signed and tagged; null when it can. */
  signing: Failure.nullable(),
});
export type PlanWorkflowResult = z.infer<typeof PlanWorkflowResult>;

export const DRY_RUN_ACTIVITIES = {
  /** What resolve would answer. Reads only, and sends nothing. */
  plan: on('control', 'resolve/plan', PlanInput, PlanResult),
};
