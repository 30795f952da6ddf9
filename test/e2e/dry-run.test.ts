/** `flightline run --dry-run`: the whole plan, and afterwards nothing is anywhere that was not there before. */
import { hostname } from 'node:os';
import { afterAll, expect, it } from 'vitest';
import { runFlightline } from '../support/flightline.ts';
import { makeProject, type Project, type ProjectOptions } from '../support/project.ts';
import { digestOf, tagsOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { everything, look } from './dry-run-look.ts';

const stack = sharedStack();
const { environment, registry } = stack;
const projects: Project[] = [];
afterAll(async () => {
  for (const project of projects) await project.remove();
});

const PASSWORD = '$6$salt$a-hash-that-nobody-may-see';
const CONFIG = `[[customizations.user]]\nname = "alice"\npassword = "${PASSWORD}"\n`;

async function newProject(options: Omit<ProjectOptions, 'registry'>): Promise<Project> {
  const made = await makeProject({ registry, ...options });
  projects.push(made);
  return made;
}

const builder = { image: `${registry}/flightline/debian-builder:1`, rootfs: 'ext4', config: 'config.toml' };
const disks = [{ type: 'qcow2', publish: 'container-disk' }, { type: 'vmdk' }];

it('tells stages, hosts and digests of a release, and leaves nothing', async () => {
  const project = await newProject({
    name: 'dry',
    disks,
    spec: { builder, bootTest: { disk: 'qcow2' } },
    files: { 'config.toml': CONFIG, '.containerignore': 'config.toml\n' },
  });
  const before = await everything(stack, project);
  const { exitCode, plan, said } = await look(stack, project);
  expect(exitCode, said).toBe(0);
  expect(await everything(stack, project)).toEqual(before);
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

it('ends as a release would where something is refused', async () => {
  const missing = await newProject({ name: 'dry-missing', containerfile: `FROM ${registry}/no/such:1\n` });
  const images = await look(stack, missing);
  expect(images.exitCode).toBe(1);
  expect(images.plan.checks.find(({ name }) => name === 'images')).toMatchObject({
    status: 'failed',
    detail: expect.stringContaining('no/such:1') as string,
  });

  const key = await newProject({ name: 'dry-key', spec: { signing: { key: 'other' } } });
  const { exitCode, plan } = await look(stack, key);
  expect(exitCode).toBe(1);
  expect(plan.checks.find(({ name }) => name === 'signing')).toMatchObject({ status: 'failed' });
});
