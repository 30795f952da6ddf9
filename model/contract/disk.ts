/** Activities of a host for disks: inputs and results. */
import { z } from 'zod';
import { BUILDER_DRIVERS } from '../builder/builder-driver.ts';
import { BuilderOptions, DISK_TYPE_NAMES } from '../spec/disk.ts';
import { ARCHITECTURES } from '../base/host.ts';
import { DiskFile, PinnedImage } from '../release/record.ts';
import { Digest, Repository, Tag } from '../oci/reference.ts';
import { BootTest, RequestedDisk } from '../spec/request.ts';
import { TimingSchema } from '../base/timing.ts';
import { ReleaseIdentity, ContextArtifact, BuilderConfig } from '../release/identity.ts';
import { hostStage, on } from './activity.ts';

/** Present in a release for several: what is made for the platform has branches, files and logs of its own. */
const Platform = z.enum(ARCHITECTURES).optional();

export const DiskBuildInput = ReleaseIdentity.extend({
  /** Subject of the builder run: `qcow2+vmdk`, `qcow2-arm64+vmdk-arm64`. */
  branch: z.string(),
  platform: Platform,
  image: z.object({ repository: Repository, tag: Tag, digest: Digest }),
  /** The image's tag that machines follow: the builder writes it into the disk. */
  updateFrom: Tag,
  builder: PinnedImage,
  /** What the disk boots from, to install the image; absent for other types. */
  installer: PinnedImage.optional(),
  builderConfig: BuilderConfig.nullable(),
  context: ContextArtifact,
  rootfs: z.string().nullable(),
  types: z.array(z.enum(DISK_TYPE_NAMES)).min(1),
  architecture: z.enum(ARCHITECTURES),
  /** The branch keeps its slot: a boot test follows on this host. */
  keepSlot: z.boolean().optional(),
  timing: TimingSchema,
  /** The builder installs packages of a RHEL base, and gets the host's entitlements for it. */
  entitled: z.boolean().optional(),
  /** Absent for the usual one. */
  driver: z.enum(BUILDER_DRIVERS).optional(),
  /** Of the builder's command line. */
  ...BuilderOptions.shape,
});
export type DiskBuildInput = z.infer<typeof DiskBuildInput>;

export const DiskBuildResult = z.object({
  ...hostStage,
  /** Digest over the disk inputs of the run (model/release/inputs.ts). */
  inputs: Digest,
  /** The files as built, on the host. */
  files: z.array(z.object({ type: z.enum(DISK_TYPE_NAMES), path: z.string(), size: z.number().int().positive() })),
  /** Name of the container that made them. */
  container: z.string(),
});
export type DiskBuildResult = z.infer<typeof DiskBuildResult>;

export const BootTestInput = ReleaseIdentity.extend({
  branch: z.string(),
  platform: Platform,
  test: BootTest,
  /** The file as built, on this host. */
  file: z.object({ path: z.string(), size: z.number().int().positive() }),
  /** Digest over the disk inputs. */
  inputs: Digest,
  architecture: z.enum(ARCHITECTURES),
  timing: TimingSchema,
});
export type BootTestInput = z.infer<typeof BootTestInput>;

export const BootTestResult = z.object({
  ...hostStage,
  /** How it ran: `kvm`, or `tcg` (emulation). */
  accelerator: z.enum(['kvm', 'tcg']),
  /** Milliseconds until the text appeared. */
  after: z.number().int().nonnegative(),
  /** `true` when an earlier attempt had seen the same file boot. */
  adopted: z.boolean(),
});
export type BootTestResult = z.infer<typeof BootTestResult>;

export const PublishInput = ReleaseIdentity.extend({
  branch: z.string(),
  platform: Platform,
  disk: RequestedDisk,
  /** The file as built, on this host. */
  file: z.object({ path: z.string(), size: z.number().int().positive() }),
  /** Digest over the disk inputs. */
  inputs: Digest,
  image: z.object({ repository: Repository, tag: Tag, digest: Digest }),
  architecture: z.enum(ARCHITECTURES),
  /** Absolute directory on the host where the file is left; null to leave none. */
  keepFiles: z.string().nullable(),
  timing: TimingSchema,
});
export type PublishInput = z.infer<typeof PublishInput>;

export const PublishResult = z.object({
  ...hostStage,
  /** Index digest of an artifact; manifest digest of a container disk, or of one platform of several; null for none. */
  digest: Digest.nullable(),
  file: DiskFile,
});
export type PublishResult = z.infer<typeof PublishResult>;

export const DISK_ACTIVITIES = {
  diskBuild: on('disk', 'disk/build', DiskBuildInput, DiskBuildResult),
  /** Boots a disk until its line appears on the console; `boot-test` when it does not. The file is not changed. */
  bootTest: on('disk', 'disk/boot-test', BootTestInput, BootTestResult),
  publish: on('transfer', 'disk/publish', PublishInput, PublishResult),
};
