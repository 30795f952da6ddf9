/** `flightline init`: every combination is a project that passes `flightline lint --strict`, and is the guide's. */
import { lstat, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DockerfileParser } from 'dockerfile-ast';
import { parse } from 'smol-toml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import initVerb from '../../../../client/commands/init.ts';
import { projectFiles } from '../../../../client/init/project.ts';
import { BASES, BINDINGS, imagesFor, TARGETS, type Base, type Choices } from '../../../../client/init/choices.ts';
import { complete } from '../../../../client/init/completion.ts';
import type { Asker } from '../../../../client/terminal/ask.ts';
import { containerfileText } from '../../../../client/init/containerfile.ts';
import { lintLoaded } from '../../../../client/project/linting.ts';
import type { Output } from '../../../../client/terminal/output.ts';
import { checkBuilderConfig } from '../../../../model/builder-config/builder-config.ts';
import { loadSpec } from '../../../../client/project/spec-loading.ts';
import { DIFFERENCES, guideContainerfile } from './guide.ts';
import { rowsOf, sectionOf } from '../../../support/readme.ts';

const REPOSITORY = 'quay.io/acme/edge-camera';

/** Every combination that there is: early binding is for bare metal. */
const COMBINATIONS: Choices[] = TARGETS.flatMap((target) =>
  BASES.flatMap((base) =>
    BINDINGS.filter((binding) => binding === 'late' || target === 'bare-metal').flatMap((binding) =>
      [false, true].map((podmanCompose) => ({
        target,
        base,
        binding,
        podmanCompose,
        user: null,
        repository: REPOSITORY,
        ...imagesFor(base, 'quay.io', {}),
      })),
    ),
  ),
);
const named = COMBINATIONS.map((choices): [string, Choices] => [
  `${choices.target} ${choices.base} ${choices.binding}${choices.podmanCompose ? ' podman-compose' : ''}`,
  choices,
]);

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-init-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const quiet: Output = {
  json: false,
  live: false,
  colour: { result: false, progress: false },
  result: () => undefined,
  document: () => undefined,
  note: () => undefined,
};

it('has 48 combinations', () => expect(COMBINATIONS).toHaveLength(48));

describe.each(named)('%s', (_, choices) => {
  it('passes flightline lint --strict', async () => {
    for (const [name, text] of projectFiles(choices)) await writeFile(join(directory, name), text);
    const loaded = await loadSpec(join(directory, 'flightline.yaml'));
    expect((await lintLoaded(loaded)).findings).toEqual([]);
    expect(loaded.spec).toMatchObject({
      name: 'edge-camera',
      image: { repository: REPOSITORY },
      enrollment: { binding: choices.binding },
      disks: [
        {
          'bare-metal': { type: 'iso', publish: 'artifact' },
          'openshift-virtualization': { type: 'qcow2', publish: 'container-disk' },
          vsphere: { type: 'vmdk', publish: 'artifact' },
        }[choices.target],
      ],
    });
    const own = choices.binding === 'early' ? { expiration: '365d', signer: 'enrollment' } : {};
    expect(loaded.spec.enrollment).toMatchObject(own);
    expect(loaded.text).toMatch(/^# yaml-language-server: \$schema=\S+\/flightline\.schema\.json\n/);
  });
});

/** A Containerfile's instructions, each on one line. */
function instructionsOf(text: string): string[] {
  const instructions = DockerfileParser.parse(text).getInstructions();
  return instructions.map(
    (one) => `${one.getKeyword()} ${one.getRawArgumentsContent()!.replaceAll(/\s*\\\n\s*/g, ' ')}`,
  );
}

describe('the Containerfile', () => {
  const ofTheGuide = named.filter((entry): entry is [string, Choices & { base: Exclude<Base, 'debian-example'> }] => {
    return entry[1].base !== 'debian-example';
  });

  it.each(ofTheGuide)('%s is the guide’s, but for the listed differences', (_, choices) => {
    const guide = DIFFERENCES.filter((difference) => difference.applies(choices)).reduce(
      (text, difference) => {
        const changed = difference.apply(text);
        expect(changed, difference.what).not.toBe(text);
        return changed;
      },
      guideContainerfile(choices.base, choices.target),
    );
    expect(instructionsOf(containerfileText(choices))).toEqual(instructionsOf(guide));
  });

  it.each(ofTheGuide.filter(([, choices]) => !choices.podmanCompose))(
    '%s has the optional block as a comment',
    (_, choices) => {
      const withIt = instructionsOf(containerfileText({ ...choices, podmanCompose: true }));
      const uncommented = containerfileText(choices).replace(
        /(?<=application support, uncomment below\n)(?:# .*\n)+/,
        (block) => block.replaceAll(/^# /gm, ''),
      );
      expect(instructionsOf(uncommented)).toEqual(withIt);
    },
  );

  it('differs nowhere that docs/from-the-guide.md does not say', async () => {
    const text = await readFile(join(import.meta.dirname, '../../../../docs/from-the-guide.md'), 'utf8');
    const rows = rowsOf(sectionOf(text, '### Containerfiles that `flightline init` writes'));
    expect(rows).toEqual(DIFFERENCES.map(({ where, what, why }) => [where, what, why]));
  });
});

describe('the images', () => {
  it.each<[Base, object, object]>([
    ['centos-stream9', {}, { baseImage: 'quay.io/centos-bootc/centos-bootc:stream9', builderImage: null }],
    ['centos-stream10', {}, { baseImage: 'quay.io/centos-bootc/centos-bootc:stream10', builderImage: null }],
    ['rhel9', {}, { baseImage: 'registry.redhat.io/rhel9/rhel-bootc:9.5', builderImage: null }],
    ['rhel10', {}, { baseImage: 'registry.redhat.io/rhel10/rhel-bootc:10.0', builderImage: null }],
    ['fedora', {}, { baseImage: 'quay.io/fedora/fedora-bootc:43', builderImage: null }],
    [
      'debian-example',
      {},
      { baseImage: 'r:5000/flightline/debian-base:trixie', builderImage: 'r:5000/flightline/debian-builder:1' },
    ],
    [
      'debian-example',
      { baseImage: 'x.io/b:1', builderImage: 'x.io/c:1' },
      { baseImage: 'x.io/b:1', builderImage: 'x.io/c:1' },
    ],
    ['rhel9', { baseImage: 'x.io/rhel-bootc:9.5' }, { baseImage: 'x.io/rhel-bootc:9.5', builderImage: null }],
  ])('of %s with %j', (base, given, images) => expect(imagesFor(base, 'r:5000', given)).toEqual(images));

  it('have no silence that they do not need', () => {
    const pinned = `quay.io/centos-bootc/centos-bootc@sha256:${'0'.repeat(64)}`;
    const [choices] = COMBINATIONS;
    expect(containerfileText({ ...choices!, base: 'centos-stream9', baseImage: pinned })).not.toContain(
      'flightline-lint',
    );
  });
});

type InitFlags = Parameters<typeof complete>[0];
const FLAGS: InitFlags = { target: 'bare-metal', base: 'rhel9', binding: 'late', repository: REPOSITORY };

describe('without a terminal', () => {
  it.each<[string, InitFlags, RegExp]>([
    ['nothing given', {}, /^--target, --base, --binding, --repository are missing/],
    ['one missing', { ...FLAGS, repository: undefined }, /^--repository is missing, and there is no terminal/],
    ['the binding of bare metal', { ...FLAGS, binding: undefined }, /^--binding is missing/],
    [
      'early binding of a virtual machine',
      { ...FLAGS, target: 'vsphere', binding: 'early' },
      /--binding early is for bare-metal/,
    ],
    ['a repository with a tag', { ...FLAGS, repository: 'quay.io/a/b:v1' }, /--repository "quay.io\/a\/b:v1" is not/],
    ['a short base image', { ...FLAGS, baseImage: 'debian' }, /--base-image "debian"/],
    ['a local builder', { ...FLAGS, builderImage: 'localhost/b:1' }, /--builder-image "localhost\/b:1" .*push it/],
  ])('%s is a usage error', async (_, flags, message) => {
    await expect(complete(flags, null)).rejects.toMatchObject({
      kind: 'usage',
      exitCode: 2,
      message: expect.stringMatching(message),
    });
  });

  it('virtual machines are bound late', async () => {
    const choices = await complete({ ...FLAGS, target: 'vsphere', binding: undefined }, null);
    expect(choices).toMatchObject({ binding: 'late', podmanCompose: false });
  });
});

describe('with a terminal', () => {
  /** Answers by the questions' order, and keeps what was asked. */
  function answering(...answers: (string | boolean)[]): { asker: Asker; asked: string[] } {
    const asked: string[] = [];
    const answer = (question: string) => {
      asked.push(question);
      return answers[asked.length - 1];
    };
    const asker: Asker = {
      choose: async (question, options) => {
        const answered = answer(question);
        return options.find(({ value }) => value === answered)!.value;
      },
      confirm: async (question) => answer(question) as boolean,
      text: async (question) => answer(question) as string,
    };
    return { asker, asked };
  }

  it('asks for everything that no flag says', async () => {
    const { asker, asked } = answering('bare-metal', 'rhel9', 'early', true, '', REPOSITORY);
    expect(await complete({}, asker)).toMatchObject({
      target: 'bare-metal',
      base: 'rhel9',
      binding: 'early',
      podmanCompose: true,
      repository: REPOSITORY,
    });
    expect(asked).toHaveLength(6);
  });

  it('does not ask for the binding of a virtual machine', async () => {
    const { asker, asked } = answering('vsphere', 'rhel9', false, '', REPOSITORY);
    expect(await complete({}, asker)).toMatchObject({ binding: 'late' });
    expect(asked).toHaveLength(5);
  });

  it('asks nothing when the flags say it', async () => {
    const { asker, asked } = answering();
    expect(await complete(FLAGS, asker)).toMatchObject({ podmanCompose: false });
    expect(asked).toEqual([]);
  });

  it('refuses early binding of what was chosen', async () => {
    const { asker } = answering('vsphere');
    await expect(complete({ binding: 'early' }, asker)).rejects.toMatchObject({ kind: 'usage' });
  });
});

describe('a first user', () => {
  const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFa ann@laptop';
  const keyFile = () => join(directory, 'id.pub');
  beforeEach(() => writeFile(keyFile(), `${KEY}\n`));

  it('is put into the disks by the builder, whose configuration the spec names', async () => {
    const made = join(directory, 'edge');
    expect(await initVerb.run([made], { ...FLAGS, sshKey: keyFile(), user: 'ann' }, quiet)).toBe(0);
    const text = await readFile(join(made, 'config.toml'), 'utf8');
    expect(checkBuilderConfig(text, 'toml', { types: ['iso'], rootfs: null })).toEqual({ problems: [], warnings: [] });
    expect(parse(text)).toEqual({ customizations: { user: [{ name: 'ann', groups: ['wheel'], key: KEY }] } });
    const loaded = await loadSpec(made);
    expect(loaded.spec.builder.config).toBe('config.toml');
    expect((await lintLoaded(loaded)).findings).toEqual([]);
  });

  it('is asked for', async () => {
    const asker = {
      choose: async (_: string, options: readonly { value: string }[]) => options[0]!.value,
      confirm: async () => false,
      text: async (question: string) => (question.includes('SSH key') ? keyFile() : REPOSITORY),
    } as unknown as Asker;
    expect((await complete({ user: 'ann', sshKey: keyFile() }, asker)).user).toEqual({ name: 'ann', key: KEY });
    expect((await complete({}, asker)).user).toMatchObject({ key: KEY });
  });

  it.each<[string, InitFlags, RegExp]>([
    ['no key', { user: 'ann' }, /--user ann could not log in/],
    ['a file that is not there', { sshKey: '/none.pub' }, /--ssh-key: \/none\.pub cannot be read/],
    ['a name that is none', { user: 'Ann B', sshKey: 'id.pub' }, /"Ann B" is not a user name/],
    ['a private key', { sshKey: 'private' }, /private is not a public SSH key/],
  ])('%s is a usage error', async (_, flags, message) => {
    await writeFile(join(directory, 'private'), '-----BEGIN OPENSSH PRIVATE KEY-----\n');
    const sshKey = flags.sshKey?.startsWith('/') === false ? join(directory, flags.sshKey) : flags.sshKey;
    await expect(complete({ ...FLAGS, ...flags, sshKey }, null)).rejects.toMatchObject({
      kind: 'usage',
      message: expect.stringMatching(message),
    });
  });
});

describe('files that are there', () => {
  it('makes the directory, and writes all three', async () => {
    const made = join(directory, 'a/b');
    expect(await initVerb.run([made], FLAGS, quiet)).toBe(0);
    expect((await readdir(made)).toSorted()).toEqual(['.containerignore', 'Containerfile', 'flightline.yaml']);
  });

  it('says what early binding still needs of the build host', async () => {
    const said: string[] = [];
    const flags: InitFlags = { ...FLAGS, target: 'bare-metal', binding: 'early' };
    await initVerb.run([join(directory, 'early')], flags, { ...quiet, result: (text) => void said.push(text) });
    expect(said.join('\n')).toMatch(/flightctl login --config-dir DIR URL.*name DIR under `flightctl`/);
  });

  it.each(['Containerfile', 'flightline.yaml', '.containerignore'])('writes nothing where a %s is', async (name) => {
    await writeFile(join(directory, name), 'mine');
    await expect(initVerb.run([directory], FLAGS, quiet)).rejects.toMatchObject({
      kind: 'exists',
      exitCode: 2,
      message: `${join(directory, name)} exists already; nothing was written`,
    });
    expect(await readdir(directory)).toEqual([name]);
    expect(await readFile(join(directory, name), 'utf8')).toBe('mine');
  });

  it('names all that is in the way', async () => {
    await writeFile(join(directory, 'Containerfile'), '');
    await writeFile(join(directory, '.containerignore'), '');
    await expect(initVerb.run([directory], FLAGS, quiet)).rejects.toThrow(
      /Containerfile, .*\.containerignore exist already/,
    );
  });

  it('writes through no dangling link', async () => {
    await symlink(join(directory, 'elsewhere'), join(directory, 'flightline.yaml'));
    await expect(initVerb.run([directory], FLAGS, quiet)).rejects.toMatchObject({ kind: 'exists' });
    await expect(lstat(join(directory, 'elsewhere'))).rejects.toThrow('ENOENT');
  });
});
