/** Activities of a host for an image: inputs and results. */
import { z } from 'zod';
import { GateOutcome, PinnedGate, Waiver } from '../gate/gate.ts';
import { SBOM_FORMATS } from '../oci/sbom.ts';
import { DeviceTrust } from '../device/signature-policy.ts';
import { ARCHITECTURES } from '../base/host.ts';
import { PinnedImage } from '../release/record.ts';
import { Digest, Repository, Tag } from '../oci/reference.ts';
import { TimingSchema } from '../base/timing.ts';
import { BuilderConfig, ReleaseIdentity, ContextArtifact } from '../release/identity.ts';
import { BUILDER_DRIVERS } from '../builder/builder-driver.ts';
import { BuildOptions, RECHUNK_TOOLS } from '../spec/build-options.ts';
import { BuilderOptions, DISK_TYPE_NAMES } from '../spec/disk.ts';
import { SecretInputs } from '../spec/enrollment.ts';
import { hostStage, on } from './activity.ts';

/** Present in a release for several: the platform has a branch, a lease, files and logs of its own. */
const Platform = z.enum(ARCHITECTURES).optional();

export const BuildInput = ReleaseIdentity.extend({
  repository: Repository,
  tag: Tag,
  context: ContextArtifact,
  imageInputs: Digest,
  bases: z.array(PinnedImage),
  buildArgs: z.record(z.string(), z.string()),
  ...BuildOptions.shape,
  architecture: z.enum(ARCHITECTURES),
  platform: Platform,
  commit: z.string().nullable(),
  source: z.string().nullable(),
  /** The builder of the disks, which the host pulls meanwhile; absent for a release without disks. */
  builder: PinnedImage.optional(),
  /** What the builder is asked about its configuration meanwhile; absent where it has none. */
  configuration: z
    .object({
      format: BuilderConfig.shape.format,
      types: z.array(z.enum(DISK_TYPE_NAMES)).min(1),
      rootfs: z.string().nullable(),
      driver: z.enum(BUILDER_DRIVERS).optional(),
      ...BuilderOptions.shape,
    })
    .optional(),
  /** Repositories that the host will push to. It proves its right before it builds. */
  pushTo: z.array(Repository),
  /** What the image's devices will trust, for `verification: bake`. The sign worker named the key. */
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
  /** `true` when the host had an image of the same inputs. */
  adopted: z.boolean(),
  /** Present where the host has another architecture, and built by emulation. */
  emulated: z.literal(true).optional(),
  /** The registry images that podman used, by their names in the Containerfile. */
  bases: z.array(PinnedImage),
  /** When the enrollment certificate in the image ends, ISO 8601; absent when there is none. */
  certificateEnds: z.string().optional(),
  /** Name of its request in Flight Control; absent for an operator's own. */
  certificateRequest: z.string().optional(),
  /** Warnings about the image for a person; absent when there are none. */
  warnings: z.array(z.string()).optional(),
});
export type BuildResult = z.infer<typeof BuildResult>;

export const PushInput = ReleaseIdentity.extend({
  repository: Repository,
  platform: Platform,
  imageId: z.string(),
  compression: BuildOptions.shape.compression,
  timing: TimingSchema,
});
export type PushInput = z.infer<typeof PushInput>;

/** A program that rewrites the layers of a built image. */
export const RechunkInput = PushInput.omit({ compression: true }).extend({
  architecture: z.enum(ARCHITECTURES),
  rechunker: PinnedImage,
  tool: z.enum(RECHUNK_TOOLS),
  maxLayers: z.number().int().positive().optional(),
  /** The tag that devices follow: the program takes its layers as a hint, where it knows how. */
  follows: Tag,
});
export type RechunkInput = z.infer<typeof RechunkInput>;

/** Id of the new image in the host's storage, and its bytes, uncompressed. */
export const RechunkResult = z.object({ ...hostStage, ...BuildResult.pick({ imageId: true, size: true }).shape });
export type RechunkResult = z.infer<typeof RechunkResult>;

/** What is in an image. */
export const SbomInput = PushInput.omit({ compression: true }).extend({
  formats: z.array(z.enum(SBOM_FORMATS)).min(1),
});
export type SbomInput = z.infer<typeof SbomInput>;

/** The artifact that holds the bills of materials for the sign worker, in the image's repository and without a tag. */
const SbomResult = z.object({ ...hostStage, digest: Digest });

/** What gates are to look at: an image of the host's storage, or files of disks there. */
export const GateInput = ReleaseIdentity.extend({
  /** `image`, `image-arm64`, or the subject of a builder run. */
  branch: z.string(),
  platform: Platform,
  /** `repository:tag` of the release, for the gate to know. */
  reference: z.string(),
  gates: z.array(PinnedGate).min(1),
  looksAt: z.union([
    z.object({ imageId: z.string() }),
    z.object({
      files: z.array(z.object({ subject: z.string(), path: z.string(), size: z.number().int().positive() })),
    }),
  ]),
  /** A gate does not look again at what a person has waived. Absent without any. */
  waivers: z.array(Waiver).optional(),
  timing: TimingSchema,
});
export type GateInput = z.infer<typeof GateInput>;

/** A gate that refuses is an answer; what becomes of it the release decides. */
export const GateResult = z.object({ ...hostStage, outcomes: z.array(GateOutcome) });
export type GateResult = z.infer<typeof GateResult>;

export const PushResult = z.object({ ...hostStage, digest: Digest });
export type PushResult = z.infer<typeof PushResult>;

export const DeviceVerifyInput = ReleaseIdentity.extend({
  platform: Platform,
  /** The image, or that of the platform: in the registry, signed, not tagged yet. */
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
  rechunk: on('build', 'image/rechunk/rechunk', RechunkInput, RechunkResult),
  sbom: on('build', 'image/evidence/sbom', SbomInput, SbomResult),
  /** Lets gates look at an image, or at the disks of a builder run. */
  gate: on(['build', 'disk'], 'gate/gate', GateInput, GateResult),
  push: on('transfer', 'image/push', PushInput, PushResult),
  /** Proves with the image's own files that a device accepts the image, and refuses what another key signed. */
  deviceVerify: on('build', 'image/device-verify', DeviceVerifyInput, DeviceVerifyResult),
};
