/** How a release, its context and its builder configuration are named. */
import { z } from 'zod';
import { Digest, Repository } from '../oci/reference.ts';

/** Names a release to an activity: the workflow id of the *release* (also in a builder run's child) and its run id. */
export const ReleaseIdentity = z.object({ release: z.string(), runId: z.string() });
export type ReleaseIdentity = z.infer<typeof ReleaseIdentity>;

/** A context artifact in its repository. */
export const ContextArtifact = z.object({ repository: Repository, digest: Digest });

/** The builder configuration inside the context artifact. */
export const BuilderConfig = z.object({ format: z.enum(['toml', 'json']), digest: Digest });
