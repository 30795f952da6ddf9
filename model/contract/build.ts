/** What is asked of a host for an image, and what it answers. */
import { z } from 'zod';
import { DeviceTrust } from '../device/signature-policy.ts';
import { ARCHITECTURES } from '../base/host.ts';
import { PinnedImage } from '../release/record.ts';
import { Digest, Repository, Tag } from '../oci/reference.ts';
import { TimingSchema } from '../base/timing.ts';
import { ReleaseIdentity, ContextArtifact } from '../release/identity.ts';
import { BuildOptions } from '../spec/build-options.ts';
import { SecretInputs } from '../spec/enrollment.ts';
import { hostStage, on } from './activity.ts';

export const BuildInput = ReleaseIdentity.extend({
  repository: Repository,
  tag: Tag,
  context: ContextArtifact,
  imageInputs: Digest,
  bases: z.array(PinnedImage),
  buildArgs: z.record(z.string(), z.string()),
  ...BuildOptions.shape,
  architecture: z.enum(ARCHITECTURES),
  commit: z.string().nullable(),
  source: z.string().nullable(),
  /** The builder of the disks, which the host pulls meanwhile; absent when no disk is asked for. */
  builder: PinnedImage.optional(),
  /** Repositories that the host will push to: the right is proved before anything is built. */
  pushTo: z.array(Repository),
  /** What the image's devices are to trust, for `verification: bake`. The sign worker said which key. */
  trust: DeviceTrust.optional(),
  timing: TimingSchema,
  /** Nothing of a build before this time (ISO 8601) is used, so that packages are fetched anew. */
  fresh: z.string().optional(),
  ...SecretInputs.shape,
});
export type BuildInput = z.infer<typeof BuildInput>;

export const BuildResult = z.object({
  ...hostStage,
  /** Image id (configuration digest) in the host's storage, 64 hexadecimal digits. */
  imageId: z.string(),
  /** Bytes, uncompressed. */
  size: z.number().int().nonnegative(),
  /** `true` when an image of the same inputs was there. */
  adopted: z.boolean(),
  /** The images of registries that podman used, by the names that the Containerfile has for them. */
  bases: z.array(PinnedImage),
  /** When the enrollment certificate in the image ends, ISO 8601; absent when there is none. */
  certificateEnds: z.string().optional(),
  /** Name of its request in Flight Control; absent for an operator's own. */
  certificateRequest: z.string().optional(),
  /** What a person should know of the image although it was made; absent when there is nothing. */
  warnings: z.array(z.string()).optional(),
});
export type BuildResult = z.infer<typeof BuildResult>;

export const PushInput = ReleaseIdentity.extend({
  repository: Repository,
  imageId: z.string(),
  timing: TimingSchema,
});
export type PushInput = z.infer<typeof PushInput>;

export const PushResult = z.object({ ...hostStage, digest: Digest });
export type PushResult = z.infer<typeof PushResult>;

export const DeviceVerifyInput = ReleaseIdentity.extend({
  /** The image, which is in the registry and signed, but not tagged yet. */
  image: z.object({ repository: Repository, tag: Tag, digest: Digest }),
  /** Name of the key whose public half the image holds. */
  key: z.string(),
  timing: TimingSchema,
});
export type DeviceVerifyInput = z.infer<typeof DeviceVerifyInput>;

export const DeviceVerifyResult = z.object({
  ...hostStage,
  /** Whose program asked: the image's own skopeo, or the host's with the image's files. */
  tool: z.enum(['image', 'host']),
});
export type DeviceVerifyResult = z.infer<typeof DeviceVerifyResult>;

export const IMAGE_ACTIVITIES = {
  build: on('build', 'image/build', BuildInput, BuildResult),
  push: on('transfer', 'image/push', PushInput, PushResult),
  /**
   * Proves, with the files in the image, that a device made of it accepts the image, and none that another key signed.
   */
  deviceVerify: on('build', 'image/device-verify', DeviceVerifyInput, DeviceVerifyResult),
};
