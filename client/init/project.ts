/** The files of a new project. Pure. */
import { stringify as toml } from 'smol-toml';
import { stringify } from 'yaml';
import type { Base, Choices, FirstUser, Target } from './choices.ts';
import { containerfileText } from './containerfile.ts';

/** What a project may have. */
export const PROJECT_FILES = ['Containerfile', 'flightline.yaml', '.containerignore', 'config.toml'] as const;

/** The files' texts by name. */
export function projectFiles(choices: Choices): Map<(typeof PROJECT_FILES)[number], string> {
  return new Map<(typeof PROJECT_FILES)[number], string>([
    ['Containerfile', containerfileText(choices)],
    ['flightline.yaml', specText(choices)],
    ['.containerignore', containerignoreText(choices)],
    ...(choices.user === null ? [] : ([['config.toml', configText(choices.user, choices.base)]] as const)),
  ]);
}

/** Where editors find the schema when flightline is installed in the project. */
const SCHEMA = './node_modules/flightline/schemas/flightline.schema.json';

/** The guide's disk for each target: "Building the OS Disk Image", and the changes for the two platforms. */
const DISKS: Record<Target, string> = {
  'bare-metal': '  - { type: iso } # an installer, published as an OCI artifact',
  'openshift-virtualization': '  - { type: qcow2, publish: container-disk }',
  vsphere: '  - { type: vmdk } # published as an OCI artifact',
};

/** Writes the spec. */
function specText(choices: Choices): string {
  const { binding, base, builderImage, repository, target, user } = choices;
  const enrollment =
    binding === 'early' ? '{ binding: early, expiration: 365d, signer: enrollment }' : '{ binding: late }';
  // Neither of these images says which file system its root has.
  const rootfs = base === 'debian-example' || base === 'fedora' ? ['  rootfs: ext4'] : [];
  const builder = [
    ...(builderImage === null ? [] : [`  image: ${builderImage}`]),
    ...rootfs,
    ...(user === null ? [] : ['  config: config.toml # the first user']),
  ];
  return [
    `# yaml-language-server: $schema=${SCHEMA}`,
    `name: ${nameOf(repository)}`,
    'image:',
    `  repository: ${repository}`,
    '  tag: v1 # --tag overrides it',
    '  alsoTag: [latest] # every release moves it: machines installed from the disks follow it',
    "signing: { key: release } # the name of a key in the sign worker's configuration",
    `enrollment: ${enrollment}`,
    'disks:',
    DISKS[target],
    ...(builder.length === 0 ? [] : ['builder:', ...builder]),
    '',
  ].join('\n');
}

/** The builder's configuration: it puts the user into the disks, and not into the image. */
function configText({ name, key }: FirstUser, base: Base): string {
  const administrators = base === 'debian-example' ? 'sudo' : 'wheel';
  const configuration = { customizations: { user: [{ name, groups: [administrators], key }] } };
  return `# bootc-image-builder's configuration: https://osbuild.org/docs/bootc/\n${toml(configuration)}`;
}

/**
 * The repository's last part, which is a name of a project too, but for its length; in quotes where YAML would read
 * something else.
 */
function nameOf(repository: string): string {
  return stringify(repository.slice(repository.lastIndexOf('/') + 1).slice(0, 100)).trimEnd();
}

/** Writes the ignore file of the context. */
function containerignoreText({ binding }: Choices): string {
  // With early binding the build host makes the file and adds it in any case; a developer's own is never sent.
  const why =
    binding === 'early'
      ? '# Keys have no place in an image; the agent configuration is made while it is built.'
      : '# Keys have no place in an image; with late binding, an agent configuration has none either.';
  return [
    '# What the image is not made from.',
    '.git',
    'Containerfile',
    'flightline.yaml',
    'node_modules',
    'output',
    'README.md',
    why,
    'config.yaml',
    'config.toml',
    '*.key',
    '*.passphrase',
    '*.private',
    '',
  ].join('\n');
}
