/** The user's `flightline.yaml`: what a release is asked to do. Unknown keys are errors. */
import { z } from 'zod';
import { SBOM_FORMATS } from '../oci/sbom.ts';
import { VERIFICATIONS, BuildOptions, ProjectPath } from './build-options.ts';
import { BUILDER_DRIVERS } from '../builder/builder-driver.ts';
import {
  BootTestSection,
  BuilderArguments,
  BuilderNetwork,
  COMPRESSIONS,
  DISK_TYPE_NAMES,
  DISK_TYPES,
  MAX_DISKS,
  problemsOfDisks,
  PUBLISH_FORMS,
} from './disk.ts';
import { BuildSecret, EnrollmentSection, SecretName } from './enrollment.ts';
import { GatesSection } from '../gate/gate.ts';
import { ByteSize } from '../base/byte-size.ts';
import { NotifyEntry } from './notify.ts';
import { ImageReference, Repository, Tag } from '../oci/reference.ts';
import { MaxAge, REBUILDS, ScheduleSection } from './schedule.ts';
import { isTemplate } from '../base/template.ts';

/** A tag, or a template of one with `{{date}}` and `{{commit}}`. */
const TagTemplate = z
  .string()
  .refine((text) => isTemplate(text) || Tag.safeParse(text).success, {
    message: 'is not a tag: use letters, digits, "_", "." and "-", at most 128; {{date}} and {{commit}} are replaced',
  })
  .describe("{{date}} is the UTC day as YYYYMMDD, {{commit}} the first 12 digits of the context's git commit");

const GitContext = z.strictObject({
  git: z
    .string()
    .regex(/^(?:https|ssh|http|file|git):\/\/[^\s]+$/, 'is not a git URL: write it with its scheme, such as https://…')
    .describe('URL of a git repository'),
  ref: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_./-]*$/, 'is not a git branch, tag or commit')
    .default('HEAD')
    .describe('branch, tag or commit'),
  subdirectory: ProjectPath.refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), {
    message: 'must lie inside the repository',
  })
    .default('.')
    .describe('directory of the repository that is the context'),
});

/** Null takes the value from the command's environment, as `--build-arg NAME` does. */
const BuildArguments = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not the name of a build argument'),
  z.union([z.string(), z.number(), z.boolean()]).transform(String).nullable(),
);

const ImageSection = z.strictObject({
  repository: Repository.describe('where the OS image is published, with its registry: quay.io/acme/edge-camera'),
  tag: TagTemplate.default('latest'),
  alsoTag: z.array(TagTemplate).default([]).describe('further tags, moved last'),
  updateFrom: TagTemplate.optional().describe(
    'the tag that machines installed from the disks follow; default the first literal one of alsoTag, else the tag',
  ),
  tagPolicy: z
    .enum(['create', 'move'])
    .optional()
    .describe(
      'create refuses to move an existing tag (default for a literal tag), move allows it (default for a template)',
    ),
  context: z.union([ProjectPath, GitContext]).default('.').describe('a directory, or {git: URL, ref, subdirectory}'),
  containerfile: ProjectPath.default('Containerfile').describe('path of the Containerfile, relative to the spec'),
  ignoreFile: ProjectPath.optional().describe('path of the ignore file, relative as the Containerfile is'),
  buildArgs: BuildArguments.default({}),
  ...BuildOptions.shape,
  platforms: z
    .array(z.string().regex(/^linux\/[a-z0-9]+$/, 'is not a platform such as linux/amd64'))
    .min(1)
    .default(['linux/amd64']),
  allowMissing: z
    .array(z.string())
    .default([])
    .describe('the platforms without which a person may let a held release go on'),
  sbom: z
    .array(z.enum(SBOM_FORMATS))
    .default([])
    .describe('the formats in which the packages of the image are listed: spdx, cyclonedx'),
  pullSecret: SecretName.optional().describe(
    "name of a secret of the build host's configuration: logins that become the image's /etc/ostree/auth.json",
  ),
});

const DiskSection = z
  .strictObject({
    type: z.enum(DISK_TYPE_NAMES).describe("a disk type of bootc-image-builder's"),
    publish: z.enum(PUBLISH_FORMS).default('artifact'),
    compress: z.enum(COMPRESSIONS).optional().describe('default gzip for raw and ami, none otherwise'),
    installer: z
      .strictObject({ image: ImageReference.describe('the bootable image that installs the release') })
      .optional()
      .describe('for bootc-installer: what it boots from'),
  })
  .superRefine((disk, context) => {
    if (DISK_TYPES[disk.type].installer !== (disk.installer !== undefined)) {
      const message = disk.installer
        ? `is for bootc-installer, not ${disk.type}`
        : `${disk.type} needs installer: {image: …}, a bootable image that installs the release`;
      context.addIssue({ code: 'custom', path: [disk.installer ? 'installer' : 'type'], message });
    }
    if (disk.publish !== 'container-disk') return;
    if (!DISK_TYPES[disk.type].containerDisk) {
      context.addIssue({
        code: 'custom',
        path: ['publish'],
        message: `container-disk is for qcow2 and raw, not ${disk.type}`,
      });
    }
    if (disk.compress && disk.compress !== 'none') {
      context.addIssue({
        code: 'custom',
        path: ['compress'],
        message: 'a container disk holds the plain file: leave compress out',
      });
    }
  });

/** Instead of a repository for logs: they stay on their hosts. */
export const NO_LOGS = 'none';

/** Where a disk is published unless a spec says otherwise: beside its image. */
export const DISK_REPOSITORY = '{{repository}}/diskimage-{{type}}';

const RepositoriesSection = z.strictObject({
  disk: z
    .string()
    .default(DISK_REPOSITORY)
    .describe('where disks are published; {{repository}} and {{type}} are replaced'),
  record: z.string().default('{{repository}}/release').describe('where the signed record is published'),
  context: z.string().default('{{repository}}/context').describe('where the context is sent for the build host'),
  logs: z
    .string()
    .default('{{repository}}/logs')
    .describe(`where the logs of a finished release are kept; ${NO_LOGS} leaves them on their hosts`),
});

const BuilderSection = z.strictObject({
  image: ImageReference.default('quay.io/centos-bootc/bootc-image-builder:latest').describe('the builder image'),
  rootfs: z.enum(['ext4', 'xfs', 'btrfs']).optional().describe("root file system; default is the image's own"),
  driver: z
    .enum(BUILDER_DRIVERS)
    .optional()
    .describe("whose command line the builder has; default is told from the image's name"),
  arguments: BuilderArguments.optional().describe("further parts of the builder's command line"),
  network: BuilderNetwork.optional().describe("host: the builder runs in the host's network, not behind a bridge"),
  config: ProjectPath.optional().describe("the builder's config.toml or config.json, relative to the spec"),
});

/** The schema of `flightline.yaml`. */
export const FlightlineSpec = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/, 'is a short name: letters, digits, spaces, ".", "_" and "-"')
      .describe('what the project is called'),
    image: ImageSection,
    signing: z.strictObject({
      key: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'is the name of a key of the worker configuration')
        .describe("name of a key in the sign worker's configuration"),
    }),
    verification: z
      .enum(VERIFICATIONS)
      .optional()
      .describe('bake puts key and policy into the image, so that its devices only take images that the key signed'),
    enrollment: EnrollmentSection.optional().describe('how devices get the agent configuration to enroll with'),
    secrets: z.array(BuildSecret).default([]).describe('build secrets, by name'),
    disks: z
      .array(DiskSection)
      .max(MAX_DISKS, `lists more than ${MAX_DISKS} disks: make further releases for them`)
      .default([]),
    repositories: RepositoriesSection.prefault({}),
    builder: BuilderSection.prefault({}),
    bootTest: BootTestSection.optional().describe('a disk that must boot before it is published'),
    gates: GatesSection.describe('containers that look at what was built before it is sent, and may refuse it'),
    provenance: z
      .boolean()
      .default(false)
      .describe('whether image and disks get a signed SLSA provenance before any tag moves'),
    approval: z
      .literal('required')
      .optional()
      .describe('once all is verified, the release waits for `flightline approve` before any tag moves'),
    maxUpdate: ByteSize.optional().describe(
      'a release of which devices would fetch more waits for `flightline approve`: 300MB',
    ),
    notify: z
      .array(NotifyEntry)
      .max(8, 'lists more than 8 webhooks')
      .default([])
      .describe('webhooks that are told what becomes of releases'),
    onFailure: z
      .enum(['hold', 'fail'])
      .default('hold')
      .describe('hold waits for `flightline retry`, fail ends the release'),
    schedule: ScheduleSection.optional().describe(
      'when `flightline schedule set` lets the project be released by itself',
    ),
    rebuild: z
      .enum(REBUILDS)
      .default('always')
      .describe('when-changed leaves out what the last signed record shows to be the same; for tags that may move'),
    maxAge: MaxAge.optional().describe(
      'when-changed: an older image is built anew, without cache, for package updates',
    ),
  })
  .superRefine((spec, context) => {
    if (spec.maxAge !== undefined && spec.rebuild !== 'when-changed') {
      context.addIssue({ code: 'custom', path: ['maxAge'], message: 'is for rebuild: when-changed; leave it out' });
    }
    const types = spec.disks.map((disk) => disk.type);
    for (const [index, type] of types.entries()) {
      if (types.indexOf(type) !== index) {
        context.addIssue({ code: 'custom', path: ['disks', index, 'type'], message: `${type} is listed twice` });
      }
    }
    const ids = spec.secrets.map((secret) => secret.id);
    for (const [index, id] of ids.entries()) {
      if (ids.indexOf(id) !== index) {
        context.addIssue({ code: 'custom', path: ['secrets', index, 'id'], message: `${id} is listed twice` });
      }
    }
    if (spec.bootTest && !types.includes(spec.bootTest.disk)) {
      context.addIssue({
        code: 'custom',
        path: ['bootTest', 'disk'],
        message: `${spec.bootTest.disk} is not among the disks`,
      });
    }
    const platforms = new Set(spec.image.platforms).size;
    for (const problem of problemsOfDisks(types, platforms)) context.addIssue({ code: 'custom', ...problem });
    if (platforms > 1 && spec.enrollment?.binding === 'early') {
      const message = 'early is not yet supported for an image of several platforms: use late, or name one platform';
      context.addIssue({ code: 'custom', path: ['enrollment', 'binding'], message });
    }
  });

/** The parsed spec, with defaults filled in. */
export type FlightlineSpec = z.infer<typeof FlightlineSpec>;
