/**
 * What a dead release left on its host is removed when the worker starts; what another stack on the machine has there
 * is not.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { releaseId } from '../../model/oci/reference.ts';
import { recordFrom, startFlightline } from '../support/flightline.ts';
import { builderContainers, containersCreated, leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { startTestStack, TEST_TIMING, withClient, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

const stacks: TestStack[] = [];
const projects: Project[] = [];

beforeAll(async () => {
  stacks.push(await startTestStack(), await startTestStack());
});
afterAll(async () => {
  for (const project of projects) await project.remove();
  for (const stack of stacks) await stack.end();
});

/** Starts a release on a stack and waits for its builder. */
async function building(stack: TestStack, seconds: number) {
  const project = await makeProject({
    registry: stack.registry,
    name: 'janitor',
    lines: [`LABEL io.flightline.example.builder-seconds=${seconds}`],
    disks: [{ type: 'raw', publish: 'none' }],
  });
  projects.push(project);
  const timing = { ...TEST_TIMING, leaseLifetime: 8_000 };
  const environment = { ...stack.environment, FLIGHTLINE_TIMING: JSON.stringify(timing) };
  const running = startFlightline(['run', project.spec, '--json'], { environment });
  const container = await eventually('the builder runs', async () =>
    (await builderContainers(stack)).find(({ state }) => state === 'running'),
  );
  return { project, running, container };
}

it('removes the container, directory and lease of a terminated release, and says so', async () => {
  const [dead, alive] = stacks as [TestStack, TestStack];
  const since = Date.now();
  const [left, kept] = await Promise.all([building(dead, 90), building(alive, 30)]);
  // Dead before the word of its end reaches it: nobody but its successor's janitor can clean up.
  process.kill(dead.pidOf('build'), 'SIGKILL');
  await withClient(dead, (client) =>
    client.workflow.getHandle(releaseId(left.project.repository, 'v1')).terminate('by a test'),
  );
  expect((await left.running).exitCode).toBe(1);
  await eventually('everything of it is gone', async () => ((await leftOvers(dead)).length === 0 ? true : undefined));
  await eventually(
    'the janitor says what it removed',
    async () => {
      const log = await readFile(join(dead.directory, 'logs/worker-build.log'), 'utf8');
      return log.includes(`container ${left.container.name} of release/${left.project.release}`) || undefined;
    },
    { timeout: 15_000 },
  );

  expect((await builderContainers(alive)).map(({ id }) => id)).toEqual([kept.container.id]);
  const result = await kept.running;
  expect(result.exitCode, String(result.stderr)).toBe(0);
  expect(recordFrom({ exitCode: 0, stdout: String(result.stdout), stderr: '' }).status).toBe('released');
  expect(await containersCreated(alive, since)).toBe(1);
  expect(await leftOvers(alive)).toEqual([]);
});
