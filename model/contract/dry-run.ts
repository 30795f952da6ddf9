/** The question and activities of a dry run: inputs and results. They change nothing. */
import { z } from 'zod';
import { on } from './activity.ts';
import { BuilderConfig, ReleaseIdentity } from '../release/identity.ts';
import { ResolveResult } from './control.ts';
import { Failure } from '../failure/failure.ts';
import { ARCHITECTURES } from '../base/host.ts';
import { Digest } from '../oci/reference.ts';
import { ReleaseRequest } from '../spec/request.ts';

/** The part of a context that decides a release, taken from its files by whoever has them. */
export const ContextSummary = z.object({
  /** Digest of the context artifact, sent or not. */
  digest: Digest,
  /** Digest over the context's files and the Containerfile, without the builder configuration. */
  files: Digest,
  /** The images of registries that the Containerfile seems to use. */
  images: z.array(z.string()),
  /** The image that its last stage seems to be built on; null for `scratch`, or when unknown. */
  base: z.string().nullable(),
  /** The same for each platform of several. */
  platforms: z
    .array(z.object({ platform: z.enum(ARCHITECTURES), images: z.array(z.string()), base: z.string().nullable() }))
    .optional(),
  builderConfig: BuilderConfig.nullable(),
});
export type ContextSummary = z.infer<typeof ContextSummary>;

/** Input of resolve for a context that is not sent; null for a git context, which the worker packs. */
export const PlanInput = ReleaseIdentity.extend({ request: ReleaseRequest, context: ContextSummary.nullable() });
export type PlanInput = z.infer<typeof PlanInput>;

/**
 * The result of resolve, with the image that the last stage seems to be built on, and the images that were not found.
 */
export const PlanResult = ResolveResult.extend({ base: z.string().nullable(), notFound: z.array(z.string()) });
export type PlanResult = z.infer<typeof PlanResult>;

/** Input of the `plan` workflow, which looks up what a release would be made of. */
export const PlanWorkflowInput = PlanInput.pick({ request: true, context: true });
export type PlanWorkflowInput = z.infer<typeof PlanWorkflowInput>;

/** Its result. It fails as resolve would. */
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
