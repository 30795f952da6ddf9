/**
 * A release's request, the input of the `release` workflow: the spec with defaults and templates filled in, and the
 * context as a digest. It fits into a payload (at most {@link MAX_REQUEST_BYTES}).
 */
import { z } from 'zod';
import { SBOM_FORMATS } from '../oci/sbom.ts';
import { VERIFICATIONS, BuildOptions } from './build-options.ts';
import { BUILDER_DRIVERS } from '../builder/builder-driver.ts';
import { BuilderOptions, COMPRESSIONS, DISK_TYPE_NAMES, PUBLISH_FORMS } from './disk.ts';
import { SecretInputs } from './enrollment.ts';
import { RequestedGate } from '../gate/gate.ts';
import { NotifyEntry } from './notify.ts';
import { ARCHITECTURES } from '../base/host.ts';
import { Digest, ImageReference, Repository, Tag } from '../oci/reference.ts';
import { TimingSchema } from '../base/timing.ts';

/**
 * Where the files come from. `artifact`: the client packed them into a context artifact. `git`: a control worker packs
 * them into one; `ref` is the commit that the client looked up.
 */
export const ContextSource = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('artifact'), digest: Digest }),
  z.object({
    kind: z.literal('git'),
    url: z.string(),
    ref: z.string(),
    subdirectory: z.string(),
    containerfile: z.string(),
    ignoreFile: z.string().optional(),
    builderConfig: z.string().nullable(),
    /** Directories that are build contexts, by name. */
    buildContexts: z.record(z.string(), z.string()).optional(),
  }),
]);
export type ContextSource = z.infer<typeof ContextSource>;

export const RequestedDisk = z.object({
  type: z.enum(DISK_TYPE_NAMES),
  publish: z.enum(PUBLISH_FORMS),
  compress: z.enum(COMPRESSIONS),
  /** Where it is published. */
  repository: Repository,
  /** The image that installs the release; absent for all but `bootc-installer`. */
  installer: ImageReference.optional(),
});
export type RequestedDisk = z.infer<typeof RequestedDisk>;

/** The image of the disk that installs the release; undefined without such a disk. Types are listed once. */
export function requestedInstaller({ disks }: { disks: readonly Pick<RequestedDisk, 'installer'>[] }) {
  return disks.find(({ installer }) => installer !== undefined)?.installer;
}

/** The disk that must boot before it is published. */
export const BootTest = z.object({
  disk: z.enum(DISK_TYPE_NAMES),
  /** What must appear on the serial console. */
  expect: z.string().min(1),
  /** Milliseconds for it to appear. */
  timeout: z.number().int().positive(),
});
export type BootTest = z.infer<typeof BootTest>;

/** For `rebuild: when-changed`, which takes over what the last signed record shows to be unchanged. */
const RebuildWhenChanged = z.object({
  /** Age in milliseconds from which an image is built anew even when unchanged; null for none. */
  maxAge: z.number().int().positive().nullable(),
  /** Tag of the last release, from a schedule; null to look at the request's own tags. */
  last: Tag.nullable(),
});
type RebuildWhenChanged = z.infer<typeof RebuildWhenChanged>;

export const ReleaseRequest = z.object({
  schemaVersion: z.literal(1),
  name: z.string(),
  repository: Repository,
  tag: Tag,
  alsoTag: z.array(Tag),
  /** The tag that machines installed from the disks follow. The image is signed for it too. */
  updateFrom: Tag,
  tagPolicy: z.enum(['create', 'move']),
  context: ContextSource,
  /** Repositories of the context artifact and the record. */
  contextRepository: Repository,
  recordRepository: Repository,
  /** Where logs are kept; absent when they stay on their hosts. */
  logRepository: Repository.optional(),
  /** First 12 digits of the context's commit; null when it has none or is dirty. */
  commit: z.string().nullable(),
  /** URL of the source, for the label `org.opencontainers.image.source`. */
  source: z.string().nullable(),
  buildArgs: z.record(z.string(), z.string()),
  ...BuildOptions.shape,
  architecture: z.enum(ARCHITECTURES),
  /** Present for an image of several platforms; one of them, where a person has let it go on without the others. */
  platforms: z.array(z.enum(ARCHITECTURES)).min(1).optional(),
  /** Those without which a person may let the release go on; absent for none. */
  allowMissing: z.array(z.enum(ARCHITECTURES)).optional(),
  /** Name of the signing key in the sign worker's configuration. */
  key: z.string(),
  /** Absent where the image brings no verification of its own. */
  verification: z.enum(VERIFICATIONS).optional(),
  disks: z.array(RequestedDisk),
  builder: z.object({
    image: ImageReference,
    rootfs: z.string().nullable(),
    /** Absent for the usual one. */
    driver: z.enum(BUILDER_DRIVERS).optional(),
    /** Absent where the spec says nothing of them. */
    ...BuilderOptions.shape,
  }),
  /** Absent without a boot test. */
  bootTest: BootTest.optional(),
  /** Absent without gates. */
  gates: z.array(RequestedGate).min(1).optional(),
  /** Formats in which the image's packages are listed; absent for none. */
  sbom: z.array(z.enum(SBOM_FORMATS)).min(1).optional(),
  /** Absent where no provenance is asked for. `spec`: digest of the bytes of `flightline.yaml`. */
  provenance: z.object({ spec: Digest }).optional(),
  /** A person must approve before any tag moves. */
  approval: z.literal('required').optional(),
  /** Bytes that an update may cost before a person must approve it. */
  maxUpdate: z.number().int().positive().optional(),
  onFailure: z.enum(['hold', 'fail']),
  /** Absolute directory on the build host in which the disk files stay; null for none. */
  keepFiles: z.string().regex(/^\//).nullable(),
  timing: TimingSchema,
  /** Absent without notifications. */
  notify: z.array(NotifyEntry).optional(),
  ...SecretInputs.shape,
  /** Absent where everything is always made, and for tags that may not move. */
  rebuild: RebuildWhenChanged.optional(),
  /** Set by a nightly run, which is then told when the release is held. */
  tellParent: z.boolean().optional(),
});
export type ReleaseRequest = z.infer<typeof ReleaseRequest>;
