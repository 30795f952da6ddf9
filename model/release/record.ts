/** The record: a release's result, as JSON on stdout, as a signed artifact, and as the workflow's result. */
import { z } from 'zod';
import { Approval, MissingPlatform } from './approval.ts';
import { DISK_TYPE_NAMES, PUBLISH_FORMS } from '../spec/disk.ts';
import { Failure, LogLocation } from '../failure/failure.ts';
import { ARCHITECTURES } from '../base/host.ts';
import { GateVerdict, RecordedGate } from '../gate/gate.ts';
import { Digest, ShortDigest } from '../oci/reference.ts';
import { UpdateCost } from '../oci/update-cost.ts';
import { RELEASE_STATUSES, STAGES, STAGE_STATUSES } from '../stage/stage.ts';

/** An image that was looked up once: the name that the user wrote, and the digest that is used from then on. */
export const PinnedImage = z.object({
  reference: z.string(),
  digest: Digest,
  /** The entry for the release's platform, where the digest is that of an index. */
  manifest: Digest.optional(),
  /** What it was looked up for, in a release for several platforms. */
  platform: z.enum(ARCHITECTURES).optional(),
});
export type PinnedImage = z.infer<typeof PinnedImage>;

/** The digest that decides what is built: other platforms of an index do not. */
export function platformDigest({ digest, manifest }: Pick<PinnedImage, 'digest' | 'manifest'>): string {
  return manifest ?? digest;
}

export const StageRow = z.object({
  name: z.enum(STAGES),
  /** What the stage is about: `image`, `release`, a disk type, or the types of a builder run joined by `+`. */
  subject: z.string(),
  status: z.enum(STAGE_STATUSES),
  /** The host it ran on; null for stages of control and sign workers. */
  host: z.string().nullable(),
  /** How often an activity was started for it, over all holds and hosts. */
  attempts: z.number().int().nonnegative(),
  /** ISO 8601, UTC; null before it began. */
  startedAt: z.string().nullable(),
  /** Milliseconds from start to end; null while it has not ended. */
  durationMs: z.number().int().nonnegative().nullable(),
  /** Where the stage's log is; null before it began and for stages that write none. */
  log: LogLocation.nullable(),
});
export type StageRow = z.infer<typeof StageRow>;

export const DiskFile = z.object({
  /** Bytes, as published (compressed, if so). */
  size: z.number().int().nonnegative(),
  /** Hexadecimal sha256 of the file as published. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  host: z.string(),
  /** Absolute path on the host; null after clean-up. */
  path: z.string().nullable(),
});

/** What there is of a disk for each platform of an image of several: in the registry and on a host. */
const DiskPlatforms = z.array(
  z.object({ platform: z.enum(ARCHITECTURES), digest: Digest.nullable(), file: DiskFile.nullable() }),
);

export const DiskRecord = z.object({
  type: z.enum(DISK_TYPE_NAMES),
  form: z.enum(PUBLISH_FORMS),
  /** `repository:tag`; null for form `none`. */
  reference: z.string().nullable(),
  /** Manifest (container disk) or index (artifact) digest; null until published, and for form `none`. */
  digest: Digest.nullable(),
  verified: z.boolean(),
  /** `repository:tag` from which machines installed from it take updates. It stands in the disk: promotions keep it. */
  updateFrom: z.string(),
  /** Null for an image of several platforms: each has its own. */
  file: DiskFile.nullable(),
  /** Absent for an image of one platform; otherwise the digest is that of their index. */
  platforms: DiskPlatforms.optional(),
});
export type DiskRecord = z.infer<typeof DiskRecord>;

/** The logs of one host as an artifact (model/stage/logs.ts), tagged `sha256-<hex>`. */
export const KeptLogs = z.object({ host: z.string(), repository: z.string(), digest: Digest });
export type KeptLogs = z.infer<typeof KeptLogs>;

/**
 * Digests of the parts of the inputs, with which `rebuild: when-changed` names what has changed without reading the
 * context again.
 */
export const InputParts = z.object({
  /** The context's files and the Containerfile, without the builder configuration. */
  files: ShortDigest,
  /** Build arguments, architecture, verification and secrets' names. */
  settings: ShortDigest,
  /** Form, compression and root file system of each disk. */
  disks: z.record(z.string(), ShortDigest),
  /** The boot test, without its timeout; null when there is none. */
  bootTest: ShortDigest.nullable(),
  /** The builder configuration; null when there is none. */
  config: ShortDigest.nullable(),
  /** Of a git context its URL and paths, and its whole commit; null for a directory. */
  place: ShortDigest.nullable(),
  commit: z.string().nullable(),
});
export type InputParts = z.infer<typeof InputParts>;

/** A disk of an earlier release that is not made again. */
export const ReusedDisk = z.object({
  type: z.enum(DISK_TYPE_NAMES),
  /** Null for form `none`. */
  digest: Digest.nullable(),
  file: DiskFile.nullable(),
  platforms: DiskPlatforms.optional(),
  /** Digests over the disk inputs, by subject: the type, or `qcow2-arm64` for one platform of several. */
  inputs: z.record(z.string(), Digest),
});
export type ReusedDisk = z.infer<typeof ReusedDisk>;

/** What there is of each platform of an image of several. */
const ImagePlatform = z.object({
  platform: z.enum(ARCHITECTURES),
  digest: Digest.nullable(),
  /** When it was built, ISO 8601, where the release took it over; absent when it built its own. */
  builtAt: z.string().optional(),
});
const ImagePlatforms = z.array(ImagePlatform);

/** An attestation that the key of the release signed: a sigstore bundle beside what it is about. */
export const Attestation = z.object({
  subject: z.enum(['image', ...DISK_TYPE_NAMES]),
  /** What it is about: the image, one of its platforms, or the disk. */
  of: Digest,
  predicateType: z.string(),
  /** Of the bundle's manifest, in the repository of what it is about. */
  digest: Digest,
});
export type Attestation = z.infer<typeof Attestation>;

/** A platform of an earlier release that is not built again, its disks, and what is attested of it. */
const KeptPlatform = ImagePlatform.extend({
  digest: Digest,
  disks: z.array(ReusedDisk.pick({ type: true, digest: true }).extend({ file: DiskFile, inputs: Digest })),
  attestations: z.array(Attestation).optional(),
});
export type KeptPlatform = z.infer<typeof KeptPlatform>;

/** What resolve adds for comparisons with an earlier or later release. */
export const Compared = z.object({
  /** The parts of the inputs, for the record. */
  parts: InputParts.optional(),
  /** When only a part of an earlier release is missing: its image and the disks that are taken over. */
  reuse: z
    .object({
      digest: Digest,
      platforms: ImagePlatforms.optional(),
      builtAt: z.string().nullable(),
      certificateEnds: z.string().optional(),
      certificateRequest: z.string().optional(),
      disks: z.array(ReusedDisk),
      attestations: z.array(Attestation).optional(),
    })
    .optional(),
  /** Where an earlier release differs in the bases of some platforms only: the others. */
  kept: z.array(KeptPlatform).optional(),
  /** What gates said of what is taken over; absent without any. */
  gated: z.array(GateVerdict).optional(),
  /** The build uses no cache from before this time, ISO 8601. */
  fresh: z.string().optional(),
  /** What has changed since an earlier release, or is missing from it, in words. */
  reason: z.string().optional(),
});

export const ReleaseRecord = z.object({
  schemaVersion: z.literal(1),
  /** The workflow id, `release/<repository>:<tag>`. */
  release: z.string(),
  /** The workflow's run id. */
  runId: z.string(),
  status: z.enum(RELEASE_STATUSES),
  image: z.object({
    reference: z.string(),
    digest: Digest.nullable(),
    verified: z.boolean(),
    /** Absent for an image of one platform; otherwise the digest is that of their index. */
    platforms: ImagePlatforms.optional(),
    /** Platforms that were asked for, and left out by a person's word; absent where none was. */
    missing: z.array(MissingPlatform).optional(),
    /** When the enrollment certificate in it ends, ISO 8601; absent when there is none. */
    certificateEnds: z.string().optional(),
    /** Name of its request in Flight Control; absent for an operator's own. */
    certificateRequest: z.string().optional(),
    /** When an image that this release took over was built, ISO 8601; absent when it built its own. */
    builtAt: z.string().optional(),
    /** What an update to it costs devices, for each platform; absent where the tag that they follow is new. */
    updates: z.array(UpdateCost).optional(),
  }),
  disks: z.array(DiskRecord),
  inputs: z
    .object({
      /** Digest over all image inputs. */
      image: Digest,
      /**
       * Digest over the disk inputs (image digest, builder digest, builder configuration, type and form), by disk type,
       * or by type and platform of several: `qcow2-arm64`.
       */
      disks: z.record(z.string(), Digest),
      base: z.array(PinnedImage),
      builder: PinnedImage.nullable(),
      /** What a disk that installs the image boots from, and what rewrote the image's layers; absent without one. */
      installer: PinnedImage.optional(),
      /** Its gates; absent without any. */
      gates: z.array(RecordedGate).optional(),
      rechunker: PinnedImage.optional(),
      context: Digest,
      parts: InputParts.optional(),
    })
    .nullable(),
  stages: z.array(StageRow),
  /** Of the first failing or held stage. */
  failure: Failure.nullable(),
  /** Who approved its tags; absent where nobody was asked. */
  approval: Approval.optional(),
  /** Where this record's digests were promoted from; absent in the record of a release. */
  promotion: z
    .object({
      /** `repository:tag` */
      source: z.string(),
      /** Digest of the source's record. */
      record: Digest,
      at: z.string(),
      by: z.string(),
      comment: z.string(),
    })
    .optional(),
  /** What is attested of image and disks; absent when nothing is. */
  attestations: z.array(Attestation).optional(),
  /** What gates said of image and disks; absent without any. */
  gates: z.array(GateVerdict).optional(),
  /** Where the logs are when their hosts have removed them; absent when there are none. */
  logs: z.array(KeptLogs).optional(),
  /** Warnings for a person; absent when there are none. */
  warnings: z.array(z.string()).optional(),
  /** What had changed since an earlier release, or was missing from it; absent when they were not compared. */
  reason: z.string().optional(),
});
export type ReleaseRecord = z.infer<typeof ReleaseRecord>;

/** `true` when the image and every published disk were verified as a device would. */
export function isVerified(record: ReleaseRecord): boolean {
  return record.image.verified && record.disks.every((disk) => disk.form === 'none' || disk.verified);
}
