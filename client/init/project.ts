/** The files of a new project. Pure. */
import { stringify } from 'yaml';
import type { Choices, Target } from './choices.ts';
import { containerfileText } from './containerfile.ts';

export const PROJECT_FILES = ['Containerfile', 'flightline.yaml', '.containerignore'] as const;

/** The files' texts by name. */
export function projectFiles(choices: Choices): Map<(typeof PROJECT_FILES)[number], string> {
  return new Map([
    ['Containerfile', containerfileText(choices)],
    ['flightline.yaml', specText(choices)],
    ['.containerignore', containerignoreText(choices)],
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
  const { binding, base, builderImage, repository, target } = choices;
  const enrollment =
    binding === 'early' ? '{ binding: early, expiration: 365d, signer: enrollment }' : '{ binding: late }';
  const rootfs = base === 'debian-example' ? ['  rootfs: ext4'] : [];
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
    ...(builderImage === null ? [] : ['builder:', `  image: ${builderImage}`, ...rootfs]),
    '',
  ].join('\n');
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
    '*.key',
    '*.passphrase',
    '*.private',
    '',
  ].join('\n');
}
