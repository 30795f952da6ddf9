/** `flightline run --dry-run`: the whole plan, and afterwards nothing is anywhere that was not there before. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { afterAll, expect, it } from 'vitest';
import type { DryRun } from '../../client/project/plan.ts';
import { runFlightline } from '../support/flightline.ts';
import { leftOvers, podman } from '../support/host-state.ts';
import { makeProject, type Project, type ProjectOptions } from '../support/project.ts';
import { digestOf, storedManifests, tagsOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';

const stack = sharedStack();
const { environment, registry } = stack;
const projects: Project[] = [];
afterAll(async () => {
  for (const project of projects) await project.remove();
});

const PASSWORD = '$6$salt$a-hash-that-nobody-may-see';
const CONFIG = `[[customizations.user]]\nname = "alice"\npassword = "${PASSWORD}"\n`;
/** The same in the form of before 2024. */
const config = (more = {}) =>
  JSON.stringify({ blueprint: { customizations: { user: [{ name: 'alice', password: PASSWORD }], ...more } } });

async function newProject(options: Omit<ProjectOptions, 'registry'>): Promise<Project> {
  const made = await makeProject({ registry, ...options });
  projects.push(made);
  return made;
}

const builder = { image: `${registry}/flightline/debian-builder:1`, rootfs: 'ext4', config: 'config.toml' };
const disks = [{ type: 'qcow2', publish: 'container-disk' }, { type: 'vmdk' }];

async function look(project: Project, ...args: string[]): Promise<{ exitCode: number; plan: DryRun; said: string }> {
  const outcome = await runFlightline(['run', project.spec, '--dry-run', '--json', ...args], { environment });
  return {
    exitCode: outcome.exitCode,
    plan: JSON.parse(outcome.stdout) as DryRun,
    said: outcome.stdout + outcome.stderr,
  };
}

/** All that a dry run must not change. */
async function everything(project: Project): Promise<unknown> {
  return {
    stored: await storedManifests(stack.registryLog),
    tags: await Promise.all(['', '/context', '/release'].map((name) => tagsOf(`${project.repository}${name}`))),
    images: (await podman(stack, ['images', '--format', '{{.Repository}}:{{.Tag}}']))
      .split('\n')
      // Others may use this machine's storage at the same time.
      .filter((name) => name.startsWith(project.repository) || name.startsWith('localhost/flightline/dry-run')),
    containers: await podman(stack, ['ps', '--all', '--filter', 'name=flightline-dry-run', '--format', '{{.Names}}']),
    host: await leftOvers(stack),
    releases: (await runFlightline(['list', '--limit', '100', '--json'], { environment })).stdout,
  };
}

it('tells stages, hosts and digests of a release, and leaves nothing', async () => {
  const project = await newProject({
    name: 'dry',
    disks,
    spec: { builder, bootTest: { disk: 'qcow2' } },
    files: { 'config.toml': CONFIG, '.containerignore': 'config.toml\n' },
  });
  const before = await everything(project);
  const { exitCode, plan, said } = await look(project);
  expect(exitCode, said).toBe(0);
  expect(await everything(project)).toEqual(before);
  expect(said).not.toContain(PASSWORD);

  expect(plan).toMatchObject({
    schemaVersion: 1,
    dryRun: true,
    outcome: 'release',
    image: { reference: project.release, existing: null },
  });
  const base = `${registry}/flightline/debian-base:trixie`;
  expect(plan.inputs.base).toEqual([{ reference: base, digest: await digestOf(base) }]);
  expect(plan.inputs.builder).toEqual({ reference: builder.image, digest: await digestOf(builder.image) });
  // Temporal remembers for minutes who asked for work: another test's host may be among them.
  expect(plan.hosts).toContain(hostname().toLowerCase());
  expect(plan.stages.map(({ name, subject }) => `${name} ${subject}`)).toEqual([
    'resolve release',
    ...['build', 'push', 'sign', 'verify'].map((name) => `${name} image`),
    'disk-build qcow2+vmdk',
    'boot-test qcow2',
    ...['qcow2', 'vmdk'].flatMap((type) => ['publish', 'sign', 'verify'].map((name) => `${name} ${type}`)),
    'tag release',
    'record release',
  ]);
  const checks = Object.fromEntries(plan.checks.map(({ name, status }) => [name, status]));
  expect(checks).toEqual({
    context: 'ok',
    images: 'ok',
    signing: 'ok',
    'build host': 'ok',
    'builder manifest qcow2+vmdk': 'not-run',
  });
});

it('prints the same for people', async () => {
  const dropped =
    'packages = [{ name = "tmux" }]\n[[groups]]\nname = "core"\n[[containers]]\nsource = "r.example/a:1"\n';
  const files = { 'config.toml': `${dropped}[customizations]\nhostname = "edge-1"\n` };
  const project = await newProject({ name: 'dry-text', disks: [{ type: 'iso' }], spec: { builder }, files });
  const outcome = await runFlightline(['run', project.spec, '--dry-run'], { environment });
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(outcome.stdout).toContain('nothing was built, sent or kept');
  expect(outcome.stdout).toMatch(/^ {2}disk-build +iso +build worker$/m);
  for (const key of ['packages', 'groups', 'containers', 'customizations.hostname'])
    expect(outcome.stdout).toMatch(new RegExp(`config\\.toml:\\d+:1: ${key}: has no effect`));
  expect(await tagsOf(`${project.repository}/context`)).toEqual([]);
});

it(
  'asks the builder itself once an image of the same inputs is here, and says when nothing would be ' + 'built',
  async () => {
    const project = await newProject({
      name: 'dry-again',
      // An image that no other test builds.
      lines: ['RUN echo dry-again > /usr/share/mark'],
      disks,
      spec: { builder: { ...builder, config: 'config.json' } },
      files: { 'config.json': config(), '.containerignore': 'config.json\nflightline.yaml\n' },
    });
    const released = await runFlightline(['run', project.spec, '--json'], { environment });
    expect(released.exitCode, released.stderr).toBe(0);
    const same = await look(project);
    expect(same.exitCode, same.said).toBe(0);
    expect(same.plan).toMatchObject({ outcome: 'unchanged', stages: [] });

    const before = await everything(project);
    const again = await look(project, '--tag', 'v2');
    expect(again.exitCode, again.said).toBe(0);
    expect(again.plan.checks.at(-1)).toMatchObject({ name: 'builder manifest qcow2+vmdk', status: 'ok' });
    expect(again.plan.checks.at(-1)!.detail).toMatch(/^\d+ stages$/);

    // What only the builder knows: it applies no file system but the root's.
    await project.write('config.json', config({ filesystem: [{ mountpoint: '/var/data', minsize: '1 GiB' }] }));
    const warned = await look(project, '--tag', 'v2');
    expect(warned.plan.checks.at(-1)).toMatchObject({ status: 'warning' });
    expect(warned.plan.checks.at(-1)!.detail).toContain('customizations.filesystem: not supported');

    // And what it refuses.
    await project.write(
      'flightline.yaml',
      (await readFile(project.spec, 'utf8')).replace('rootfs: ext4', 'rootfs: btrfs'),
    );
    await project.write('config.json', config());
    const refused = await look(project, '--tag', 'v2');
    expect(refused.exitCode).toBe(1);
    expect(refused.plan.checks.at(-1)).toMatchObject({ status: 'failed' });
    expect(refused.plan.checks.at(-1)!.detail).toContain('unsupported filesystem type name: btrfs');
    expect(refused.said + warned.said + again.said).not.toContain(PASSWORD);
    expect(await everything(project)).toEqual(before);
  },
);

it('ends as a release would where something is refused', async () => {
  const missing = await newProject({ name: 'dry-missing', containerfile: `FROM ${registry}/no/such:1\n` });
  const images = await look(missing);
  expect(images.exitCode).toBe(1);
  expect(images.plan.checks.find(({ name }) => name === 'images')).toMatchObject({
    status: 'failed',
    detail: expect.stringContaining('no/such:1') as string,
  });

  const key = await newProject({ name: 'dry-key', spec: { signing: { key: 'other' } } });
  const { exitCode, plan } = await look(key);
  expect(exitCode).toBe(1);
  expect(plan.checks.find(({ name }) => name === 'signing')).toMatchObject({ status: 'failed' });
});
