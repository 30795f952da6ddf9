/**
 * A builder that ends while it looks at the image in a container of the host's podman leaves that container behind, as
 * one that says that it runs, under a pid that is another process's here. Nothing of it may stay, and no other process
 * may be touched.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeBuilder, removeInspections } from '../../activities/tools/builder/remove-builder.ts';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { builderContainers, leftOvers, podman as podmanOf } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';
import { makeInspectingBuilder } from './inspecting-builder.ts';

const ROUNDS = 20;
const BUILDER = 'localhost/test/inspecting-builder:1';
const IMAGE = 'localhost/test/inspected:1';
const podman = (...args: string[]) => podmanOf({ environment: {} }, args);

/** A container with its image and the pid that podman has of its first process. */
async function inspections(): Promise<{ id: string; image: string; pid: number }[]> {
  const listed = await podman('ps', '--all', '--no-trunc', '--format', '{{.ID}} {{.ImageID}} {{.Pid}} {{.Command}}');
  return listed
    .split('\n')
    .map((line) => line.split(' '))
    .filter((words) => words[3] === 'infinity')
    .map(([id, image, pid]) => ({ id: id!, image: image!, pid: Number(pid) }));
}

const inspecting = () =>
  eventually('the builder looks at the image', async () => (await inspections()).find(({ pid }) => pid > 0));

beforeAll(async () => {
  await makeInspectingBuilder(BUILDER);
});
afterAll(async () => {
  await podman('rmi', '--force', '--ignore', BUILDER, IMAGE);
});

describe('a builder that ends in its manifest step', () => {
  const decoys: ChildProcess[] = [];
  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-inspected-'));
    const containerfile = `FROM ${EXAMPLE_IMAGES.base.local}\nLABEL io.flightline.example.manifest-seconds=600\n`;
    await writeFile(join(directory, 'Containerfile'), containerfile);
    await podman('build', '--quiet', '--layers=false', '--pull=never', '--tag', IMAGE, directory);
    await rm(directory, { recursive: true });
  });
  afterAll(() => decoys.forEach((decoy) => decoy.kill('SIGKILL')));

  /** The process that has this pid here: whoever has it, else one that is started to have it. */
  async function processOf(pid: number): Promise<string> {
    for (let tries = 0; tries < 20; tries++) {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      if (stat !== '') return bornOf(stat);
      await writeFile('/proc/sys/kernel/ns_last_pid', String(pid - 1));
      decoys.push(spawn('sleep', ['600']));
    }
    throw new Error(`no process could be given the pid ${pid}`);
  }
  /** Its name and the time of its start. */
  const bornOf = (stat: string) => `${stat.split(' ')[1]} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;

  it.each(Array.from({ length: ROUNDS }, (_, index) => [index + 1, index % 2 === 0 ? 0 : 10_000]))(
    'leaves nothing, round %d, grace %d ms',
    async (round, grace) => {
      const before = await podman('ps', '--all', '--quiet');
      const name = `flightline-test-builder-${round}`;
      const volumes = ['--volume=/var/lib/containers/storage:/var/lib/containers/storage', '--volume=/output'];
      const options = ['--privileged', '--security-opt=label=type:unconfined_t', '--pull=never', ...volumes];
      await podman('run', '--detach', `--name=${name}`, ...options, BUILDER, 'build', '--progress=verbose', IMAGE);
      const { id, image, pid } = await inspecting();
      // One that is alive is another builder's work.
      expect(await removeInspections([image])).toEqual([]);
      const other = await processOf(pid);
      await removeBuilder(name, { image: IMAGE, installer: null }, grace);
      expect(bornOf(await readFile(`/proc/${pid}/stat`, 'utf8'))).toBe(other);
      expect(await podman('ps', '--all', '--quiet')).toBe(before);
      expect((await execa('pgrep', ['-f', id], { reject: false })).stdout).toBe('');
      // Its image is in no container's use.
      const spare = `${IMAGE}-again`;
      await podman('tag', IMAGE, spare);
      await podman('rmi', IMAGE);
      await podman('tag', spare, IMAGE);
      await podman('untag', spare, spare);
    },
  );

  it('does not keep its image', async () => {
    expect(await podman('rmi', IMAGE)).toMatch(/^(?:Untagged|Deleted)/);
  });
});

describe('a release', () => {
  let stack: TestStack;
  let builder: string;
  const projects: Project[] = [];
  beforeAll(async () => {
    stack = await startTestStack();
    builder = `${stack.registry}/flightline/debian-builder:inspecting`;
    await podman('push', '--quiet', '--tls-verify=false', BUILDER, builder);
  });
  afterAll(async () => {
    for (const project of projects) await project.remove();
    await stack?.end();
  });

  async function running(name: string) {
    const lines = ['LABEL io.flightline.example.manifest-seconds=600'];
    const spec = { builder: { image: builder, rootfs: 'ext4' } };
    const project = await makeProject({ registry: stack.registry, name, lines, disks: [{ type: 'qcow2' }], spec });
    projects.push(project);
    const ended = startFlightline(['run', project.spec, '--json'], { environment: stack.environment });
    await inspecting();
    return { project, ended };
  }

  it('that is cancelled then leaves nothing', async () => {
    const { project, ended } = await running('inspection-cancelled');
    const cancelled = await runFlightline(['cancel', project.release], { environment: stack.environment });
    expect(cancelled.exitCode, cancelled.stderr).toBe(0);
    expect((await ended).exitCode).toBe(5);
    expect(await inspections()).toEqual([]);
    expect(await leftOvers(stack)).toEqual([]);
  });

  it.each([
    ['first process', '{{.State.Pid}}', 'out-of-memory'],
    ['conmon', '{{.State.ConmonPid}}', undefined],
  ])('whose builder loses its %s then leaves nothing', async (what, format, kind) => {
    const { project, ended } = await running(`inspection-${what.replace(' ', '-')}`);
    const first = (await inspections())[0]!.id;
    const [container] = await builderContainers(stack);
    process.kill(Number(await podmanOf(stack, ['inspect', '--format', format, container!.id])), 'SIGKILL');
    if (kind === undefined) {
      // It is built again at once.
      await eventually('another builder looks at the image', async () =>
        (await inspections()).some(({ id, pid }) => id !== first && pid > 0) ? true : undefined,
      );
    } else {
      const held = await ended;
      const record = recordFrom({ exitCode: 4, stdout: String(held.stdout), stderr: String(held.stderr) });
      expect(record.failure?.kind).toBe(kind);
    }
    expect((await inspections()).map(({ id }) => id)).not.toContain(first);
    const cancelled = await runFlightline(['cancel', project.release], { environment: stack.environment });
    expect(cancelled.exitCode, cancelled.stderr).toBe(0);
    await ended;
    expect(await inspections()).toEqual([]);
    expect(await leftOvers(stack)).toEqual([]);
  });
});
