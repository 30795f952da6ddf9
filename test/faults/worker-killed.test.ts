/** Workers that are killed: what they were doing goes on, and nothing is done twice. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import {
  buildProcesses,
  builderContainers,
  containersCreated,
  leftOvers,
  workingContainers,
} from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf, storedManifests, tagsOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

let stack: TestStack;
const projects: Project[] = [];

beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(async () => {
  for (const project of projects) await project.remove();
  await stack?.end();
});

describe('a build worker that is killed in the middle of a disk build', () => {
  it('finds its container again when it is back; the builder ran once', async () => {
    const since = Date.now();
    const project = await makeProject({
      registry: stack.registry,
      name: 'killed',
      lines: ['LABEL io.flightline.example.builder-seconds=20'],
      disks: [{ type: 'qcow2' }],
    });
    projects.push(project);
    const { environment } = stack;
    const running = startFlightline(['run', project.spec, '--json'], { environment });
    const [before] = await eventually('the builder runs', async () => {
      const found = (await builderContainers(stack)).filter(({ state }) => state === 'running');
      return found.length > 0 ? found : undefined;
    });
    process.kill(stack.pidOf('build'), 'SIGKILL');
    // The stack starts it again by itself, as systemd would.
    await eventually('the worker is back', async () => {
      try {
        process.kill(stack.pidOf('build'), 0);
        return (await builderContainers(stack)).length === 1 ? true : undefined;
      } catch {
        return undefined;
      }
    });
    expect((await builderContainers(stack)).map(({ id }) => id)).toEqual([before!.id]);
    const result = await running;
    expect(result.exitCode, String(result.stderr)).toBe(0);
    const record = recordFrom({ exitCode: 0, stdout: String(result.stdout), stderr: String(result.stderr) });
    expect(record.status).toBe('released');
    expect(await containersCreated(stack, since), 'containers that were created').toBe(1);
    expect(await digestOf(record.disks[0]!.reference!)).toBe(record.disks[0]!.digest);
    expect(await leftOvers(stack)).toEqual([]);
  });
});

describe('a sign worker that is killed between signature and tag', () => {
  it('adopts the signature: one for each digest, and each before its tag', async () => {
    const project = await makeProject({ registry: stack.registry, name: 'sign-killed', disks: [] });
    projects.push(project);
    const path = project.repository.slice(stack.registry.length + 1);
    const { environment } = stack;
    const running = startFlightline(['run', project.spec, '--json'], { environment });
    await eventually(
      'the signature is stored',
      async () => (await tagsOf(project.repository)).some((tag) => tag.endsWith('.sig')) || undefined,
      { interval: 20 },
    );
    process.kill(stack.pidOf('sign'), 'SIGKILL');
    expect(await digestOf(project.release), 'the tag at the time of the kill').toBeNull();
    const result = await running;
    expect(result.exitCode, String(result.stderr)).toBe(0);
    const record = recordFrom({ exitCode: 0, stdout: String(result.stdout), stderr: String(result.stderr) });
    const stored = (await storedManifests(join(stack.directory, 'logs/registry.log'))).filter((name) =>
      name.startsWith(`${path}:`),
    );
    const signature = `${path}:${record.image.digest!.replace(':', '-')}.sig`;
    expect(
      stored.filter((name) => name === signature),
      'signatures written',
    ).toHaveLength(1);
    expect(stored.indexOf(`${path}:v1`)).toBeGreaterThan(stored.indexOf(signature));
    const verified = await runFlightline(['verify', project.release, '--key', stack.publicKey], { environment });
    expect(verified.exitCode, verified.stderr).toBe(0);
    expect(await readFile(stack.registryLog, 'utf8')).toContain(path);
    expect(await leftOvers(stack)).toEqual([]);
  });
});

describe('a build worker that is killed during an image build', () => {
  it('ends what it left behind, and goes on from the cached layers', async () => {
    // Layers of an earlier run of this test may be in the machine's cache.
    const first = `first-${Date.now()}`;
    const project = await makeProject({
      registry: stack.registry,
      name: 'build-killed',
      lines: [`RUN echo ${first} > /etc/first`, 'RUN sleep 6'],
      disks: [],
    });
    projects.push(project);
    const { environment } = stack;
    const running = startFlightline(['run', project.spec, '--json'], { environment });
    const isStep = ({ command }: { command: string }) => command === 'sleep 6';
    const before = await eventually('the second RUN runs', async () => {
      const found = await buildProcesses(stack);
      return found.some(isStep) ? found : undefined;
    });
    const [working] = await workingContainers(stack);
    expect(working).toBeDefined();
    process.kill(stack.pidOf('build'), 'SIGKILL');
    // Its podman ends by itself, with the pipe that the worker read; the container is taken away by the next attempt.
    await eventually('the build it left behind is ended, with its container', async () => {
      const alive = (await buildProcesses(stack)).map(({ pid }) => pid);
      const isThere = (await workingContainers(stack)).includes(working!);
      return before.some(({ pid }) => alive.includes(pid)) || isThere ? undefined : true;
    });
    const result = await running;
    expect(result.exitCode, String(result.stderr)).toBe(0);
    const record = recordFrom({ exitCode: 0, stdout: String(result.stdout), stderr: String(result.stderr) });
    expect(record.stages.find(({ name }) => name === 'build')!.attempts).toBeGreaterThan(1);
    const log = await runFlightline(['logs', project.release, 'build'], { environment });
    const second = log.stdout.slice(log.stdout.lastIndexOf('STEP 1'));
    expect(second, 'the log of the retry').toMatch(new RegExp(`RUN echo ${first} > /etc/first\\s+--> Using cache`));
    expect(await digestOf(project.release)).toBe(record.image.digest);
    expect([...(await workingContainers(stack)), ...(await buildProcesses(stack))]).toEqual([]);
    expect(await leftOvers(stack)).toEqual([]);
  });
});

describe('a build worker that is stopped on purpose in the middle of a disk build', () => {
  it('detaches within seconds, and its successor attaches to the same container', async () => {
    const since = Date.now();
    const project = await makeProject({
      registry: stack.registry,
      name: 'stopped',
      lines: ['LABEL io.flightline.example.builder-seconds=15'],
      disks: [{ type: 'qcow2' }],
    });
    projects.push(project);
    const { environment } = stack;
    const running = startFlightline(['run', project.spec, '--json'], { environment });
    const [before] = await eventually('the builder runs', async () => {
      const found = (await builderContainers(stack)).filter(({ state }) => state === 'running');
      return found.length > 0 ? found : undefined;
    });
    const pid = stack.pidOf('build');
    const stopped = Date.now();
    process.kill(pid, 'SIGTERM');
    await eventually('the worker has ended', async () => (isAlive(pid) ? undefined : true), { interval: 50 });
    expect(Date.now() - stopped, 'milliseconds to its end').toBeLessThan(8_000);
    expect(await builderContainers(stack)).toEqual([before]);
    const result = await running;
    expect(result.exitCode, String(result.stderr)).toBe(0);
    const record = recordFrom({ exitCode: 0, stdout: String(result.stdout), stderr: String(result.stderr) });
    expect(record.status).toBe('released');
    expect(await containersCreated(stack, since), 'containers that were created').toBe(1);
    expect(await leftOvers(stack)).toEqual([]);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
