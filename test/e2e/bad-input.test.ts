/** What a person gets wrong: one clear error, in time, and no tag has moved. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { recordFrom, runFlightline, type CommandOutcome } from '../support/flightline.ts';
import { leftOvers } from '../support/host-state.ts';
import { makeProject, type Project, type ProjectOptions } from '../support/project.ts';
import { digestOf, tagsOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';

const stack = sharedStack();
const { environment, registry } = stack;

const projects: Project[] = [];
afterEach(async () => {
  for (const project of projects.splice(0)) await project.remove();
});

async function newProject(options: Omit<ProjectOptions, 'registry'>): Promise<Project> {
  const made = await makeProject({ registry, ...options });
  projects.push(made);
  return made;
}

const run = (spec: string, ...args: string[]) => runFlightline(['run', spec, '--json', ...args], { environment });

/** The error that a command printed with `--json`. */
function errorFrom(outcome: CommandOutcome): { kind: string; message: string; remedy: string } {
  const { error } = JSON.parse(outcome.stdout) as { error: { kind: string; message: string; remedy: string } };
  expect(error.remedy).not.toBe('');
  expect(outcome.stdout + outcome.stderr, 'no stack trace').not.toMatch(/^\s+at .*\.[jt]s:\d+/m);
  return error;
}

async function expectNoTag(repository: string): Promise<void> {
  expect((await tagsOf(repository)).filter((tag) => !tag.endsWith('.sig'))).toEqual([]);
}

describe('a spec that is wrong is refused before anything starts', () => {
  it.each([
    [
      'an unknown key',
      'tag: v1',
      'tga: v1',
      /flightline\.yaml:\d+:\d+: image\.tga: unknown key "tga"; did you mean "tag"\?/,
    ],
    ['a repository like an option', /repository: .*/, 'repository: -x', /image\.repository: is not a repository name/],
    [
      'early binding for two platforms',
      'image:',
      'enrollment: {binding: early}\nimage:\n  platforms: [linux/amd64, linux/arm64]',
      /enrollment\.binding: early is not yet supported/,
    ],
  ])('%s', async (_, from, to, expected) => {
    const made = await newProject({ name: 'wrong-spec' });
    await writeFile(made.spec, (await readFile(made.spec, 'utf8')).replace(from, to));
    const outcome = await run(made.spec);
    expect(outcome.exitCode).toBe(2);
    expect(errorFrom(outcome).message).toMatch(expected);
    await expectNoTag(made.repository);
  });

  it('a spec that is not there', async () => {
    const outcome = await run('/nonexistent/flightline.yaml');
    expect(outcome.exitCode).toBe(2);
    errorFrom(outcome);
  });

  it('a Containerfile that is not there', async () => {
    const made = await newProject({ name: 'no-containerfile', image: { containerfile: 'Missing' } });
    const outcome = await run(made.spec);
    expect(outcome.exitCode).toBe(2);
    expect(errorFrom(outcome).message).toContain('Missing');
  });

  it('a private key in a context that anybody can read', async () => {
    const made = await newProject({
      name: 'key-in-context',
      files: { id_ed25519: '-----BEGIN OPENSSH PRIVATE KEY-----\nx\n' },
    });
    const outcome = await run(made.spec);
    expect(outcome.exitCode).toBe(2);
    expect(errorFrom(outcome).message).toContain('id_ed25519');
    expect(await tagsOf(`${made.repository}/context`)).toEqual([]);
  });
});

describe('a builder configuration that the builder would refuse', () => {
  const builder = { image: `${registry}/flightline/debian-builder:1`, config: 'config.toml' };
  const config = '[[customizations.user]]\nname = "alice"\npasword = "hush-hush"\n';

  it('is told of by line, and nothing is sent', async () => {
    const made = await newProject({
      name: 'wrong-config',
      disks: [{ type: 'qcow2' }],
      spec: { builder },
      files: { 'config.toml': config },
    });
    const outcome = await run(made.spec);
    expect(outcome.exitCode).toBe(2);
    const { message } = errorFrom(outcome);
    expect(message).toMatch(
      /config\.toml:3:1: customizations\.user\[0\]\.pasword: unknown key "pasword"; did you mean "password"\?/,
    );
    expect(message).not.toContain('hush');
    expect(await tagsOf(`${made.repository}/context`)).toEqual([]);
  });

  it.each([
    [
      'users with a kickstart',
      '[customizations.installer.kickstart]\ncontents = "text"\n[[customizations.user]]\nname = "a"\n',
      /customizations\.user: cannot be used together with installer\.kickstart/,
    ],
    [
      'an iso with file systems',
      '[[customizations.filesystem]]\nmountpoint = "/"\nminsize = "2 GiB"\n',
      /customizations\.filesystem: has no effect on iso/,
    ],
  ])('%s', async (_, text, expected) => {
    const made = await newProject({
      name: 'bad-iso',
      disks: [{ type: 'iso' }],
      spec: { builder },
      files: { 'config.toml': text },
    });
    const outcome = await run(made.spec);
    expect(outcome.exitCode).toBe(2);
    expect(errorFrom(outcome).message).toMatch(expected);
    await expectNoTag(made.repository);
  });
});

describe('a builder configuration that only the builder refuses', () => {
  it('ends the build of the image', async () => {
    const made = await newProject({
      name: 'refused-config',
      lines: ['RUN sleep 600'],
      disks: [{ type: 'qcow2' }],
      spec: { builder: { image: `${registry}/flightline/debian-builder:1`, config: 'config.toml' } },
      files: { 'config.toml': '[[customizations.files]]\npath = "/usr/bin/x"\ndata = "x"\n' },
    });
    const outcome = await run(made.spec, '--on-failure', 'fail');
    expect(outcome.exitCode, outcome.stderr).toBe(1);
    const { failure } = recordFrom(outcome);
    expect(failure).toMatchObject({ kind: 'builder-configuration', stage: 'build' });
    expect(failure!.message).toContain('custom files are not allowed: ["/usr/bin/x"]');
    await expectNoTag(made.repository);
    expect(await leftOvers(stack)).toEqual([]);
  });
});

describe('what cannot be used fails at once', () => {
  const base = `${registry}/flightline/debian-base:trixie`;
  it.each<[string, string, Omit<ProjectOptions, 'registry' | 'name'>, string, RegExp]>([
    [
      'a base that does not exist',
      'no-base',
      { containerfile: `FROM ${registry}/no/such:1\n` },
      'image-not-found',
      /no\/such:1/,
    ],
    ['a local base', 'local-base', { containerfile: 'FROM localhost/x:1\n' }, 'containerfile', /push it to a registry/],
    [
      'a base without the bootc label',
      'not-bootc',
      { containerfile: `FROM ${registry}/flightline/debian-builder:1\n` },
      'not-bootc',
      /containers\.bootc/,
    ],
    ['a key that is not configured', 'no-key', { spec: { signing: { key: 'other' } } }, 'key-missing', /other/],
    [
      'a builder that is not allowed',
      'bad-builder',
      { disks: [{ type: 'qcow2' }], spec: { builder: { image: base } } },
      'builder-not-allowed',
      /debian-base/,
    ],
    [
      'a builder that does not exist',
      'no-builder',
      { disks: [{ type: 'qcow2' }], spec: { builder: { image: `${registry}/flightline/debian-builder:none` } } },
      'image-not-found',
      /debian-builder:none/,
    ],
  ])('%s', async (_, name, options, kind, message) => {
    const made = await newProject({ name, ...options });
    const outcome = await run(made.spec, '--on-failure', 'fail');
    expect(outcome.exitCode, outcome.stderr).toBe(1);
    const record = recordFrom(outcome);
    expect(record).toMatchObject({ status: 'failed', failure: { kind } });
    expect(record.failure!.message).toMatch(message);
    await expectNoTag(made.repository);
  });

  it('a repository that the key may not sign for', async () => {
    const outside = `localhost:${registry.split(':')[1]}/elsewhere/x`;
    const made = await newProject({ name: 'key-scope', image: { repository: outside } });
    const outcome = await run(made.spec);
    expect(outcome.exitCode, outcome.stderr).toBe(1);
    expect(recordFrom(outcome).failure).toMatchObject({ kind: 'key-not-allowed' });
    await expectNoTag(outside);
  });

  it('a tag that exists with other content', async () => {
    const made = await newProject({ name: 'exists', lines: ['RUN echo 1 > /usr/share/one'] });
    expect((await run(made.spec)).exitCode).toBe(0);
    const before = await digestOf(made.release);
    await made.write('Containerfile', `FROM ${base}\nRUN echo 2 > /usr/share/one\n`);
    const outcome = await run(made.spec);
    expect(outcome.exitCode).toBe(1);
    expect(recordFrom(outcome).failure).toMatchObject({ kind: 'tag-exists' });
    expect(await digestOf(made.release)).toBe(before);
  });

  it.each(['create', 'move'])('an evil spec that would write over what another release made: %s', async (tagPolicy) => {
    const victim = `${registry}/test/exists`;
    const read = () => Promise.all([digestOf(`${victim}:v1`), digestOf(`${victim}/release:v1`)]);
    const before = await read();
    expect(before).not.toContain(null);
    for (const record of [victim, `${victim}/release`]) {
      // Its own repository is one above: what it names lies below it.
      const image = { repository: `${registry}/test`, tagPolicy };
      const evil = await newProject({ name: 'evil', image, spec: { repositories: { record } } });
      const outcome = await run(evil.spec);
      expect(outcome.exitCode, outcome.stderr).toBe(1);
      expect(recordFrom(outcome).failure).toMatchObject({ kind: 'tag-exists' });
      expect(await read()).toEqual(before);
    }
  });
});

describe('a Containerfile that fails', () => {
  it('is held with its last lines, within seconds and not retried; fixed, it is released', async () => {
    const made = await newProject({
      name: 'held',
      lines: ['RUN echo about to fail && echo the very cause >&2 && false'],
    });
    const held = await run(made.spec);
    expect(held.exitCode, held.stderr).toBe(4);
    const record = recordFrom(held);
    expect(record).toMatchObject({ status: 'held', failure: { kind: 'containerfile', stage: 'build' } });
    expect(record.failure!.message).toContain('the very cause');
    const build = record.stages.find(({ name }) => name === 'build')!;
    expect(build.attempts).toBe(1);
    await expectNoTag(made.repository);

    await made.write(
      'Containerfile',
      `FROM ${registry}/flightline/debian-base:trixie\nRUN echo fixed > /usr/share/fixed\n`,
    );
    const retried = await runFlightline(['retry', made.release, '--spec', made.spec, '--json'], { environment });
    expect(retried.exitCode, retried.stderr).toBe(0);
    const watched = await runFlightline(['watch', made.release, '--json'], { environment });
    expect(watched.exitCode, watched.stderr).toBe(0);
    const released = recordFrom(watched);
    expect(released.status).toBe('released');
    expect(await digestOf(made.release)).toBe(released.image.digest);
    expect(await leftOvers(stack)).toEqual([]);
  });

  it('fails at once with --on-failure fail, and cleans up', async () => {
    const made = await newProject({ name: 'fails', lines: ['RUN echo the very cause >&2 && exit 7'] });
    const outcome = await run(made.spec, '--on-failure', 'fail');
    expect(outcome.exitCode).toBe(1);
    expect(recordFrom(outcome)).toMatchObject({ status: 'failed', failure: { kind: 'containerfile' } });
    await expectNoTag(made.repository);
    expect(await leftOvers(stack)).toEqual([]);
  });
});

describe('a wrong passphrase', () => {
  it('is held before anything is built; corrected, the release goes on', async () => {
    const right = await readFile(stack.passphrase, 'utf8');
    const made = await newProject({ name: 'passphrase' });
    try {
      await writeFile(stack.passphrase, 'not the passphrase\n');
      const held = await run(made.spec);
      expect(held.exitCode, held.stderr).toBe(4);
      expect(recordFrom(held).failure).toMatchObject({ kind: 'key-passphrase' });
      await expectNoTag(made.repository);
    } finally {
      await writeFile(stack.passphrase, right);
    }
    expect((await runFlightline(['retry', made.release], { environment })).exitCode).toBe(0);
    expect((await runFlightline(['watch', made.release], { environment })).exitCode).toBe(0);
    expect(await digestOf(made.release)).not.toBeNull();
  });
});

describe('the command', () => {
  it.each([
    ['an unknown release', ['status', `${registry}/no/such:1`], 2],
    ['a release that is none', ['status', 'what'], 2],
    ['an unknown command', ['frobnicate'], 2],
    ['an unknown flag', ['run', '--frobnicate'], 2],
  ])('answers %s with exit code %#', async (_, args, exitCode) => {
    const outcome = await runFlightline(args, { environment });
    expect(outcome.exitCode, outcome.stderr).toBe(exitCode);
    expect(outcome.stderr).not.toMatch(/^\s+at /m);
  });

  it('answers 3 where no Temporal is', async () => {
    const outcome = await runFlightline(['list'], { environment: { ...environment, TEMPORAL_ADDRESS: '127.0.0.1:1' } });
    expect(outcome.exitCode, outcome.stderr).toBe(3);
  });

  it('answers 6 where the release is running, and cancels it cleanly', async () => {
    const made = await newProject({ name: 'twice', lines: ['RUN sleep 60'] });
    expect((await run(made.spec, '--detach')).exitCode).toBe(0);
    const contexts = await tagsOf(`${made.repository}/context`);
    await writeFile(join(made.directory, 'changed'), 'another context');
    const second = await run(made.spec);
    expect(second.exitCode, second.stderr).toBe(6);
    expect(errorFrom(second).remedy).toContain('flightline watch');
    expect(await tagsOf(`${made.repository}/context`), 'nothing was sent').toEqual(contexts);
    expect(contexts).toHaveLength(1);
    const listed = await runFlightline(['list', '--json'], { environment });
    expect(listed.stdout).toContain(made.release);
    expect((await runFlightline(['cancel', made.release], { environment })).exitCode).toBe(0);
    const watched = await runFlightline(['watch', made.release, '--json'], { environment });
    expect(watched.exitCode, watched.stderr).toBe(5);
    await expectNoTag(made.repository);
    expect(await leftOvers(stack)).toEqual([]);
  });
});
