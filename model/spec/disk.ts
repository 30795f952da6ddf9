/**
 * Disk types: a row each. Names are those of bootc-image-builder (its README and `internal/bibimg/imagetypes.go`);
 * artifact types are the guide's `application/vnd.diskimage.<type>`.
 */
import { z } from 'zod';
import { durationBetween } from '../base/duration.ts';
import { FlightlineError } from '../failure/failure.ts';
import { makesOneType, type BuilderDriverName } from '../builder/builder-driver.ts';

/** How the file of a disk is compressed before it is published. */
export const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** How a disk is published: an OCI artifact, a KubeVirt container disk, or not at all. */
export const PUBLISH_FORMS = ['artifact', 'container-disk', 'none'] as const;
export type PublishForm = (typeof PUBLISH_FORMS)[number];

/** File formats of disks as the builder leaves them. */
export type DiskFormat = 'raw' | 'qcow2' | 'vmdk' | 'vhd' | 'iso' | 'tar' | 'tar.gz' | 'tar.xz';

interface DiskTypeRow {
  /** Media type suffix of the file as built: `application/vnd.diskimage.<suffix>`. */
  suffix: string;
  /** The file format, by which a truncated file is recognised and not published. */
  format: DiskFormat;
  /**
   * `disk` types share a builder run. An `iso` type runs alone: all of them write the same file, and bib refuses mixes.
   */
  family: 'disk' | 'iso';
  /** The default of `compress`. */
  compress: Compression;
  /** `true` when KubeVirt accepts the file in a container disk: qcow2 or raw (KubeVirt user guide, "containerDisk"). */
  containerDisk: boolean;
  /** It boots from an image of its own, which installs the release. */
  installer: boolean;
  /** QEMU's block driver and medium for a boot test; null for an archive. */
  boot: { format: 'qcow2' | 'raw' | 'vmdk' | 'vpc'; medium: 'disk' | 'cdrom' } | null;
}

const row = (suffix: string, format: DiskFormat, more: Partial<DiskTypeRow> = {}): DiskTypeRow => ({
  suffix,
  format,
  family: 'disk',
  compress: 'none',
  containerDisk: false,
  installer: false,
  boot: null,
  ...more,
});

const ISO = { family: 'iso', boot: { format: 'raw', medium: 'cdrom' } } as const;
const bootable = (format: 'qcow2' | 'raw' | 'vmdk' | 'vpc') => ({ boot: { format, medium: 'disk' } }) as const;

/** Every disk type the spec accepts. `ami` and `raw` are one file published twice. */
export const DISK_TYPES = {
  ami: row('ami', 'raw', { compress: 'gzip', ...bootable('raw') }),
  'anaconda-iso': row('iso', 'iso', ISO),
  'bootc-installer': row('iso', 'iso', { ...ISO, installer: true }),
  gce: row('gce.tgz', 'tar.gz'),
  iso: row('iso', 'iso', ISO),
  ova: row('ova', 'tar'),
  'pxe-tar-xz': row('pxe.tar.xz', 'tar.xz'),
  qcow2: row('qcow2', 'qcow2', { containerDisk: true, ...bootable('qcow2') }),
  raw: row('raw', 'raw', { compress: 'gzip', containerDisk: true, ...bootable('raw') }),
  vhd: row('vhd', 'vhd', bootable('vpc')),
  vmdk: row('vmdk', 'vmdk', bootable('vmdk')),
} as const satisfies Record<string, DiskTypeRow>;

export type DiskType = keyof typeof DISK_TYPES;

/** Disks of a spec, over all platforms. A record with more would not fit into a payload of 10 kB. */
export const MAX_DISKS = 6;

/** Why disks cannot be made for so many platforms, with paths in the spec. Pure. */
export function problemsOfDisks(
  types: readonly DiskType[],
  platforms: number,
): { path: (string | number)[]; message: string }[] {
  if (platforms === 1) return [];
  const count = types.length * platforms;
  const tooMany = `are ${count} for ${platforms} platforms, more than ${MAX_DISKS}: make further releases for them`;
  const alone = types.flatMap((type, index) => {
    const message = `${type} is not yet supported for an image of several platforms: what it boots from is for one`;
    return DISK_TYPES[type].installer ? [{ path: ['disks', index, 'type'], message }] : [];
  });
  return [...(count > MAX_DISKS ? [{ path: ['disks'], message: tooMany }] : []), ...alone];
}

/** The names of the disk types, in bib's alphabetical order. */
export const DISK_TYPE_NAMES = Object.keys(DISK_TYPES) as [DiskType, ...DiskType[]];

/** A disk of a release with every default filled in. */
interface Disk {
  type: DiskType;
  publish: PublishForm;
  compress: Compression;
}

/**
 * The artifact type of a published disk: `application/vnd.diskimage.<type>`, with `.gzip` or `.zstd` for compressed
 * bytes (Konflux's and Flight Control's convention).
 */
export function diskArtifactType(disk: Pick<Disk, 'type' | 'compress'>): string {
  const compression = disk.compress === 'none' ? '' : `.${disk.compress}`;
  return `application/vnd.diskimage.${DISK_TYPES[disk.type].suffix}${compression}`;
}

/** The disks of one builder run. */
export interface BuilderRun {
  /** Types for the builder, sorted and unique. */
  types: DiskType[];
  /** The disks that are published from the run's files. */
  disks: Disk[];
}

/**
 * Groups the disks of a release into builder runs: all `disk` types together, each `iso` type alone; each type alone
 * where the builder makes one for each call.
 */
export function builderRuns(disks: readonly Disk[], driver?: BuilderDriverName): BuilderRun[] {
  const runs = new Map<string, Disk[]>();
  for (const disk of disks) {
    const isAlone = makesOneType(driver) || DISK_TYPES[disk.type].family === 'iso';
    const key = isAlone ? disk.type : 'disk';
    runs.set(key, [...(runs.get(key) ?? []), disk]);
  }
  return [...runs.values()].map((group) => ({
    types: [...new Set(group.map((disk) => disk.type))].sort(),
    disks: group,
  }));
}

/** Named as flags of bootc-image-builder are; one that is absent is left to the builder. */
export const BuilderArguments = z.strictObject({
  inVm: z.boolean().optional().describe('whether osbuild runs in a virtual machine; newer builders do not know it'),
  useLibrepo: z.boolean().optional().describe('whether packages of an iso are downloaded with librepo'),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional()
    .describe('what random values of the disk are derived from; older builders do not know it'),
  defaultKernelArguments: z
    .literal(false)
    .optional()
    .describe("false leaves out the builder's own kernel arguments; newer builders do not know it"),
});
export type BuilderArguments = z.infer<typeof BuilderArguments>;

/** The network that the builder runs in; the host's own reaches what a bridge does not, such as IPv6. */
export const BuilderNetwork = z.literal('host');

/** What an operator can forbid. */
export const BUILDER_OPTIONS = [...BuilderArguments.keyof().options, 'network'] as const;

/** What of a builder's command line a spec asks for; absent where it says nothing. */
export const BuilderOptions = z.object({
  arguments: BuilderArguments.optional(),
  network: BuilderNetwork.optional(),
});
export type BuilderOptions = z.infer<typeof BuilderOptions>;

/** The options without those that say nothing, so that a spec without them gives what it always gave. */
export function builderOptions(given: BuilderOptions): BuilderOptions {
  const { arguments: asked, network } = given;
  const isAsked = asked !== undefined && Object.values(asked).some((value) => value !== undefined);
  return { ...(isAsked && { arguments: asked }), ...(network && { network }) };
}

/**
 * Refuses an option that an operator has forbidden.
 *
 * @param who forbids it, for the message
 * @throws FlightlineError `builder-not-allowed`
 */
export function requireBuilderOptions(given: BuilderOptions, forbidden: readonly string[], who: string): void {
  const asked = Object.entries(given.arguments ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const refused = [...asked, ...(given.network ? ['network'] : [])].find((name) => forbidden.includes(name));
  if (refused === undefined) return;
  throw new FlightlineError('builder-not-allowed', `${who} forbids the builder option ${refused}`, {
    remedy: `leave ${refused} out of builder in the spec, or ask the operator to allow it`,
  });
}

const BOOTABLE = DISK_TYPE_NAMES.filter((type) => DISK_TYPES[type].boot !== null);

/** `bootTest` of flightline.yaml. */
export const BootTestSection = z.strictObject({
  disk: z
    .enum(DISK_TYPE_NAMES)
    .refine((type) => BOOTABLE.includes(type), { message: `cannot be booted: name one of ${BOOTABLE.join(', ')}` })
    .describe('the disk that is booted, one of the types under disks'),
  expect: z
    .string()
    .min(1)
    .max(200)
    .refine((text) => !/\p{Cc}/u.test(text), { message: 'must be one line of plain text' })
    .default('login:')
    .describe('what must appear on the serial console'),
  timeout: durationBetween('10s', '2h').default('5m').describe('for it to appear: 90s, 5m, 1h'),
});
