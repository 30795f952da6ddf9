/**
 * Builders that fail, are killed, or leave something else than a disk: each is told apart, and nothing half-written is
 * published.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { builderContainers, containersCreated, leftOvers, podman } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { blobOf, digestOf, manifestOf, tagsOf } from '../support/registry.ts';
import { TEST_TIMING, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';
import { startFaultyStack, type Behaviour } from './faulty-builder.ts';

let site: Awaited<ReturnType<typeof startFaultyStack>>;
let stack: TestStack;
const projects: Project[] = [];

beforeAll(async () => {
  site = await startFaultyStack(6);
  ({ stack } = site);
});
afterAll(async () => {
  for (const project of projects) await project.remove();
  await site?.end();
});

async function projectWith(behaviour: Behaviour, name: string = behaviour): Promise<Project> {
  const spec = { builder: { image: site.references[behaviour], rootfs: 'ext4' } };
  const project = await makeProject({ registry: stack.registry, name, disks: [{ type: 'qcow2' }], spec });
  projects.push(project);
  return project;
}

describe('a builder that', () => {
  it.each<[Behaviour, string, RegExp]>([
    ['says-why', 'builder', /ended with exit code 1:[\s\S]*the kernel is on strike/],
    ['is-killed', 'out-of-memory', /was killed, as when memory runs out \(exit code 137\)/],
    ['leaves-nothing', 'builder', /no file in qcow2\//],
    ['leaves-an-empty-file', 'builder', /an empty file/],
    ['leaves-half-a-file', 'builder', /exporting: broken pipe/],
    [
      'cuts-off-its-file',
      'builder',
      /qcow2\/disk\.qcow2, which is truncated: its format needs \d+ bytes, and it has 500000/,
    ],
  ])('%s holds its branch as %s', async (behaviour, kind, message) => {
    const project = await projectWith(behaviour);
    const { environment } = stack;
    const held = await runFlightline(['run', project.spec, '--json'], { environment });
    expect(held.exitCode, held.stderr).toBe(4);
    const { failure, stages } = recordFrom(held);
    expect(failure).toMatchObject({ kind, stage: 'disk-build' });
    expect(failure!.message).toMatch(message);
    expect(stages.find(({ name }) => name === 'verify')).toMatchObject({ subject: 'image', status: 'done' });
    expect(await builderContainers(stack)).toEqual([]);
    const cancelled = await runFlightline(['cancel', project.release], { environment });
    expect(cancelled.exitCode, cancelled.stderr).toBe(0);
    expect(await tagsOf(`${project.repository}/diskimage-qcow2`)).toEqual([]);
    expect(await tagsOf(project.repository)).not.toContain('v1');
    expect(await leftOvers(stack)).toEqual([]);
  });
});

describe('a builder that prints nothing for longer than the limit', () => {
  const LIMIT = 8_000;
  const run = async (behaviour: Behaviour) => {
    const project = await projectWith(behaviour);
    const environment = { ...stack.environment, FLIGHTLINE_TIMING: JSON.stringify({ ...TEST_TIMING, stall: LIMIT }) };
    return { project, ended: await runFlightline(['run', project.spec, '--json'], { environment }) };
  };

  it.each<[Behaviour]>([['computes-in-silence'], ['reads-in-silence']])('and %s makes its disk', async (behaviour) => {
    const { ended } = await run(behaviour);
    expect(ended.exitCode, ended.stderr).toBe(0);
    const builds = recordFrom(ended).stages.filter(({ name }) => name === 'disk-build');
    expect(builds).toMatchObject([{ status: 'done', attempts: 1 }]);
  });

  it('and sleeps is ended, and held', async () => {
    const { project, ended } = await run('sleeps');
    expect(ended.exitCode, ended.stderr).toBe(4);
    expect(recordFrom(ended).failure).toMatchObject({ kind: 'stalled', stage: 'disk-build' });
    expect(recordFrom(ended).failure!.message).toMatch(/no processor time.*\nDisk image building step$/);
    expect(await builderContainers(stack)).toEqual([]);
    const cancelled = await runFlightline(['cancel', project.release], { environment: stack.environment });
    expect(cancelled.exitCode, cancelled.stderr).toBe(0);
    expect(await leftOvers(stack)).toEqual([]);
  });
});

describe('a builder container', () => {
  /** Starts a release with the slow builder, and ends a process of its container when that has begun to write. */
  async function killed(name: string, format: string, signal: NodeJS.Signals) {
    const project = await projectWith('slow', name);
    const running = startFlightline(['run', project.spec, '--json'], { environment: stack.environment });
    const container = await eventually('the builder runs', async () =>
      (await builderContainers(stack)).find(({ state }) => state === 'running'),
    );
    const pid = Number(await podman(stack, ['inspect', '--format', format, container.id]));
    expect(pid).toBeGreaterThan(1);
    process.kill(pid, signal);
    return { project, container, ended: await running };
  }

  async function publishedDisk(project: Project): Promise<string> {
    const repository = `${project.repository}/diskimage-qcow2`;
    const index = (await manifestOf(`${repository}:v1`)) as { manifests?: { digest: string }[] };
    const manifest = (await manifestOf(`${repository}@${index.manifests![0]!.digest}`)) as {
      layers?: { digest: string }[];
    };
    return (await blobOf(repository, manifest.layers![0]!.digest)).toString();
  }

  it.each([
    ['whose conmon is killed', 'conmon', '{{.State.ConmonPid}}', 'SIGKILL'],
    ['whose first process is ended from outside', 'ended', '{{.State.Pid}}', 'SIGTERM'],
  ] as const)('%s is run again, and only its second result is published', async (_, name, format, signal) => {
    const since = Date.now();
    const { project, container, ended } = await killed(name, format, signal);
    expect(ended.exitCode, String(ended.stderr)).toBe(0);
    const record = recordFrom({ exitCode: 0, stdout: String(ended.stdout), stderr: '' });
    expect(record.stages.find((row) => row.name === 'disk-build')!.attempts).toBe(2);
    expect(await containersCreated(stack, since)).toBe(2);
    const disk = await publishedDisk(project);
    expect(disk).toMatch(/made by [0-9a-f]{12}\n/);
    expect(disk).not.toContain(container.id.slice(0, 12));
    expect(await leftOvers(stack)).toEqual([]);
  });

  it('whose first process is killed as the kernel does it is held, and goes on after `retry`', async () => {
    const { project, container, ended } = await killed('init', '{{.State.Pid}}', 'SIGKILL');
    expect(ended.exitCode, String(ended.stderr)).toBe(4);
    const { failure } = recordFrom({ exitCode: 4, stdout: String(ended.stdout), stderr: '' });
    expect(failure).toMatchObject({ kind: 'out-of-memory', stage: 'disk-build' });
    expect(await digestOf(project.release)).toBeNull();
    const retried = await runFlightline(['retry', project.release], { environment: stack.environment });
    expect(retried.exitCode, retried.stderr).toBe(0);
    const disk = await publishedDisk(project);
    expect(disk).toMatch(/made by [0-9a-f]{12}\n/);
    expect(disk).not.toContain(container.id.slice(0, 12));
    expect(await leftOvers(stack)).toEqual([]);
  });
});
