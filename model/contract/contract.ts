/**
 * What workflows ask of activities: the shapes of every input and result. Inputs are parsed at an activity's entry. Results are
 * digests and short facts, never file contents or logs.
 */
import { z } from 'zod';
import { DeviceTrust } from '../device/signature-policy.ts';
import { DISK_TYPE_NAMES } from '../spec/disk.ts';
import type { PlanInput, PlanResult } from './dry-run.ts';
import type { CompareInput, CompareResult, SupersedeInput, SupersedeResult } from '../release/nightly.ts';
import { SecretInputs } from '../spec/enrollment.ts';
import { LogLocation } from '../release/failure.ts';
import type { HostStatus, HostStatusInput } from './host-status.ts';
import type { KeepLogsInput, KeepLogsResult } from '../release/logs.ts';
import { ARCHITECTURES, HostName } from './queue.ts';
import { Compared, DiskFile, PinnedImage, ReleaseRecord } from '../release/record.ts';
import { Digest, Repository, Tag } from '../oci/reference.ts';
import { BootTest, ReleaseRequest, RequestedDisk } from '../spec/request.ts';
import { TimingSchema } from '../base/timing.ts';

/** Names a release to an activity: the workflow id of the *release* (also in a builder run's child) and its run id. */
export const ReleaseIdentity = z.object({ release: z.string(), runId: z.string() });
export type ReleaseIdentity = z.infer<typeof ReleaseIdentity>;

/** A context artifact in its repository. */
export const ContextArtifact = z.object({ repository: Repository, digest: Digest });

/** The builder configuration inside the context artifact. */
export const BuilderConfig = z.object({ format: z.enum(['toml', 'json']), digest: Digest });

/** In every stage's result: how often the server had to start the activity, this time included. */
const attempts = z.number().int().positive();

// ── control ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export const ResolveInput = ReleaseIdentity.extend({ request: ReleaseRequest });
export type ResolveInput = z.infer<typeof ResolveInput>;

export const ResolveResult = z.object({
  attempts,
  /** The record of the same inputs that is already there in full, when the tag exists: the release ends as `unchanged`. */
  unchanged: ReleaseRecord.nullable(),
  context: ContextArtifact,
  /** Digest over bases, context, build arguments, platform (model/release/inputs.ts). */
  imageInputs: Digest,
  /** Every external image of the Containerfile. */
  bases: z.array(PinnedImage),
  /** Null when no disk is asked for. */
  builder: PinnedImage.nullable(),
  builderConfig: BuilderConfig.nullable(),
  /** What the release's tag pointed at when it began; null when it did not exist. */
  existingTag: Digest.nullable(),
  /** The operator wants a person's approval for one of the tags, whatever the request says. */
  approval: z.boolean().optional(),
  ...Compared.shape,
});
export type ResolveResult = z.infer<typeof ResolveResult>;

export const HostsInput = ReleaseIdentity.extend({ architecture: z.enum(ARCHITECTURES), timing: TimingSchema });
export type HostsInput = z.infer<typeof HostsInput>;

export const HostsResult = z.object({ attempts, hosts: z.array(HostName) });
export type HostsResult = z.infer<typeof HostsResult>;

export interface ControlActivities {
  /** The build hosts of an architecture that asked the server for work within its last minutes. */
  hosts(input: HostsInput): Promise<HostsResult>;
  /** What {@link ControlActivities.resolve} would answer. Reads only, and sends nothing. */
  plan(input: PlanInput): Promise<PlanResult>;
  /** What a nightly release would make anew. Reads only. */
  compare(input: CompareInput): Promise<CompareResult>;
  /** Cancels a release if it is held. */
  supersede(input: SupersedeInput): Promise<SupersedeResult>;
  /** Looks everything mutable up once. Rejects with a `fail` kind for whatever a hold could not keep. Reads only, but for packing a git context. */
  resolve(input: ResolveInput): Promise<ResolveResult>;
}

// ── hosts: claim, probe, clean up, logs ──────────────────────────────────────────────────────────────────────────────

export const ClaimInput = ReleaseIdentity.extend({
  /** `image`, or the subject of a builder run (`qcow2+vmdk`). One lease per release and branch. */
  branch: z.string(),
  /** Which limit of the host the slot counts against. */
  slot: z.enum(['build', 'disk']),
  /** When the branch first asked, ISO 8601: the oldest request is granted first. */
  requestedAt: z.string(),
  /** Bytes the branch is expected to need in the host's work directory and storage. */
  space: z.number().int().nonnegative(),
  /** Hosts that failed this branch or are lost. */
  exclude: z.array(z.string()),
  timing: TimingSchema,
});
export type ClaimInput = z.infer<typeof ClaimInput>;

export const ClaimResult = z.object({ attempts, host: HostName });
export type ClaimResult = z.infer<typeof ClaimResult>;

export interface ClaimActivities {
  /** Grants a lease, or fails with `no-slot` (retryable, the reason in words) or `disk-full`. Idempotent per release and branch. */
  claim(input: ClaimInput): Promise<ClaimResult>;
}

export const ProbeResult = z.object({
  host: HostName,
  /** When the worker process started, ISO 8601. */
  since: z.string(),
});
export type ProbeResult = z.infer<typeof ProbeResult>;

export const CleanUpInput = ReleaseIdentity.extend({ timing: TimingSchema });
export type CleanUpInput = z.infer<typeof CleanUpInput>;

export const CleanUpResult = z.object({
  /** What was removed, in words: `container flightline-0123456789ab`, `work directory`, `lease image`. */
  removed: z.array(z.string()),
});
export type CleanUpResult = z.infer<typeof CleanUpResult>;

export const LogPageInput = z.object({
  /** Path below the host's log directory: absolute, or from there. */
  path: z.string(),
  /** Bytes from the start. */
  offset: z.number().int().nonnegative(),
  /** Milliseconds to wait for something to be there; without it the answer is what there is, and a missing file is a failure. */
  wait: z.number().int().positive().max(60_000).optional(),
});
export type LogPageInput = z.infer<typeof LogPageInput>;

export const LogPageResult = z.object({
  /** At most 8,000 bytes, redacted. */
  text: z.string(),
  nextOffset: z.number().int().nonnegative(),
  /** Nothing is behind this page now. */
  end: z.boolean(),
  /** The file is shorter than the offset: another attempt began it anew, and this page is its first. */
  restarted: z.boolean().optional(),
});
export type LogPageResult = z.infer<typeof LogPageResult>;

export interface HostActivities extends ClaimActivities {
  /** Answers at once: the host lives. */
  probe(): Promise<ProbeResult>;
  /** Stops and removes all that the release made on this host: containers, processes, images' names, work directory, leases. */
  cleanUp(input: CleanUpInput): Promise<CleanUpResult>;
  /** Sends the logs of a release from this host to the registry, compressed and redacted; what is there already is adopted. */
  keepLogs(input: KeepLogsInput): Promise<KeepLogsResult>;
  /** What this host has and does now. */
  hostStatus(input: HostStatusInput): Promise<HostStatus>;
  /** A page of a log. Refuses a path outside the log directory. */
  logPage(input: LogPageInput): Promise<LogPageResult>;
}

// ── hosts: build, push, disk-build, boot-test, publish ──────────────────────────────────────────────────────────────────────────

/** In the results of host stages. */
const hostStage = { attempts, host: HostName, log: LogLocation.nullable() };

export const BuildInput = ReleaseIdentity.extend({
  repository: Repository,
  tag: Tag,
  context: ContextArtifact,
  imageInputs: Digest,
  bases: z.array(PinnedImage),
  buildArgs: z.record(z.string(), z.string()),
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
  /** When the enrollment certificate in the image ends, ISO 8601; absent when there is none. */
  certificateEnds: z.string().optional(),
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

export const DiskBuildInput = ReleaseIdentity.extend({
  /** Subject of the builder run, `qcow2+vmdk`. */
  branch: z.string(),
  image: z.object({ repository: Repository, tag: Tag, digest: Digest }),
  builder: PinnedImage,
  builderConfig: BuilderConfig.nullable(),
  context: ContextArtifact,
  rootfs: z.string().nullable(),
  types: z.array(z.enum(DISK_TYPE_NAMES)).min(1),
  architecture: z.enum(ARCHITECTURES),
  /** The branch keeps its slot: a boot test follows on this host. */
  keepSlot: z.boolean().optional(),
  timing: TimingSchema,
  /** The builder installs packages of a RHEL base: it is given the host's entitlements. */
  entitled: z.boolean().optional(),
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
  /** Index digest of an artifact, manifest digest of a container disk; null for form `none`. */
  digest: Digest.nullable(),
  file: DiskFile,
});
export type PublishResult = z.infer<typeof PublishResult>;

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

export interface BuildActivities {
  build(input: BuildInput): Promise<BuildResult>;
  /** Proves, with the files in the image, that a device made of it accepts the image, and none that another key signed. */
  deviceVerify(input: DeviceVerifyInput): Promise<DeviceVerifyResult>;
}
export interface DiskActivities {
  diskBuild(input: DiskBuildInput): Promise<DiskBuildResult>;
  /** Boots a disk until its line appears on the console; `boot-test` when it does not. The file is not changed. */
  bootTest(input: BootTestInput): Promise<BootTestResult>;
}
export interface TransferActivities {
  push(input: PushInput): Promise<PushResult>;
  publish(input: PublishInput): Promise<PublishResult>;
}

// ── sign ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const ProveSigningInput = ReleaseIdentity.extend({
  key: z.string(),
  /** All repositories that will be signed in and tagged in. */
  repositories: z.array(Repository),
  timing: TimingSchema,
});
export type ProveSigningInput = z.infer<typeof ProveSigningInput>;

export const SignInput = ReleaseIdentity.extend({
  key: z.string(),
  repository: Repository,
  digest: Digest,
  /** The names to sign for: one signature for each tag. */
  tags: z.array(Tag).min(1),
  timing: TimingSchema,
});
export type SignInput = z.infer<typeof SignInput>;

export const SignResult = z.object({
  attempts,
  /** Tags signed now; the others had their signature. */
  signed: z.array(Tag),
});
export type SignResult = z.infer<typeof SignResult>;

/** Same shape as {@link SignInput}: verifies under the device's policy and that each name is signed. */
export const VerifyInput = SignInput;
export type VerifyInput = SignInput;

export const TagMove = z.object({
  repository: Repository,
  tag: Tag,
  digest: Digest,
  /** What the tag may point at now, besides `digest`: this digest, nothing (`null`), or `any`. Else `tag-moved`. */
  expected: z.union([Digest, z.null(), z.literal('any')]),
});
export type TagMove = z.infer<typeof TagMove>;

export const TagInput = ReleaseIdentity.extend({
  key: z.string(),
  /** In this order: each disk's tag, the image's, then further tags. Each is verified by tag once it stands. */
  moves: z.array(TagMove).min(1),
  timing: TimingSchema,
});
export type TagInput = z.infer<typeof TagInput>;

export const TagResult = z.object({
  attempts,
  /** `repository:tag` of what now stands. */
  moved: z.array(z.string()),
  /** Digests that the registry no longer has: nothing was moved, and their branches go back to push. */
  vanished: z.array(Digest),
});
export type TagResult = z.infer<typeof TagResult>;

export const RecordInput = ReleaseIdentity.extend({
  key: z.string(),
  repository: Repository,
  /** The record is signed for each. */
  tags: z.array(Tag).min(1),
  /**
   * Shared tags among them, which somebody else may have moved since: the record takes such a name only where the image's has that
   * digest.
   */
  shared: z.object({ tags: z.array(Tag), repository: Repository, digest: Digest }).optional(),
  record: ReleaseRecord,
  timing: TimingSchema,
});
export type RecordInput = z.infer<typeof RecordInput>;

export const RecordResult = z.object({ attempts, digest: Digest });
export type RecordResult = z.infer<typeof RecordResult>;

export const ProveSigningResult = z.object({
  attempts,
  /** The public key, PEM: what devices are to trust. */
  publicKey: z.string(),
});
export type ProveSigningResult = z.infer<typeof ProveSigningResult>;

export interface SignActivities {
  /** Proves, before an hour is spent, that the key may sign here, opens with its passphrase, and that the log-in may push. */
  proveSigning(input: ProveSigningInput): Promise<ProveSigningResult>;
  sign(input: SignInput): Promise<SignResult>;
  verify(input: VerifyInput): Promise<{ attempts: number }>;
  tag(input: TagInput): Promise<TagResult>;
  record(input: RecordInput): Promise<RecordResult>;
}
