/** Several releases at once: of the same name, and of different tags. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { buildProcesses, leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

let stack: TestStack;
const projects: Project[] = [];

beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(async () => {
  for (const made of projects) await made.remove();
  await stack?.end();
});

async function project(name: string, more: { tag?: string; lines?: string[]; disks?: object[] } = {}) {
  const made = await makeProject({ registry: stack.registry, name, disks: [], ...more });
  projects.push(made);
  return made;
}

/** Starts a release whose image build lasts until it is cancelled. */
async function building(name: string) {
  const first = await project(name, { lines: ['RUN sleep 62'] });
  const running = startFlightline(['run', first.spec, '--json'], { environment: stack.environment });
  await eventually('the build runs', async () =>
    (await buildProcesses(stack)).some(({ command }) => command === 'sleep 62') ? true : undefined,
  );
  return { first, running };
}

describe('a second run of a name', () => {
  it('is told that one is running; --replace ends that one, cleans up and takes its place', async () => {
    const { environment } = stack;
    const { first, running } = await building('replaced');
    const refused = await runFlightline(['run', first.spec, '--json'], { environment });
    expect(refused.exitCode).toBe(6);
    const { error } = JSON.parse(refused.stdout) as { error: Record<string, string> };
    expect(error).toMatchObject({
      kind: 'already-running',
      message: `a release of ${first.release} is already running; no other was started`,
    });
    expect(error.remedy).toContain(`flightline watch ${first.release}`);
    expect(error.remedy).toContain(`flightline run ${first.spec} --replace`);

    await first.write(
      'Containerfile',
      `FROM ${stack.registry}/flightline/debian-base:trixie\nRUN echo second > /etc/made\n`,
    );
    const other = await project('replaced', { tag: 'v2' });
    const [second, beside, cancelled] = await Promise.all([
      runFlightline(['run', first.spec, '--replace', '--json'], { environment }),
      runFlightline(['run', other.spec, '--json'], { environment }),
      running,
    ]);
    expect(cancelled.exitCode, String(cancelled.stderr)).toBe(5);
    expect(second.exitCode, second.stderr).toBe(0);
    expect(second.stderr).toMatch(/cancelling the run[\s\S]*the former run has ended: cancelled[\s\S]*releasing/);
    expect(beside.exitCode, beside.stderr).toBe(0);
    const former = recordFrom({ exitCode: 5, stdout: String(cancelled.stdout), stderr: '' });
    const record = recordFrom(second);
    expect(record.runId).not.toBe(former.runId);
    expect(await digestOf(first.release)).toBe(record.image.digest);
    expect(await digestOf(other.release)).toBe(recordFrom(beside).image.digest);
    expect(await buildProcesses(stack)).toEqual([]);
    expect(await leftOvers(stack)).toEqual([]);
  });

  it('starts at once with --replace when none is running', async () => {
    const alone = await project('alone');
    const result = await runFlightline(['run', alone.spec, '--replace', '--json'], { environment: stack.environment });
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stderr).not.toContain('cancelling');
  });
});
