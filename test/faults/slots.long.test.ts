/** More releases than their host has slots. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runFlightline } from '../support/flightline.ts';
import { builderContainers, leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

let stack: TestStack;
const projects: Project[] = [];

beforeAll(async () => {
  stack = await startTestStack({ hostName: 'host-a' });
});
afterAll(async () => {
  for (const project of projects) await project.remove();
  await stack?.end();
});

describe('more releases than a host has slots', () => {
  it('wait, say for whom, and are let in by age', async () => {
    const { environment } = stack;
    const order: string[] = [];
    const runs: Promise<unknown>[] = [];
    const started: Project[] = [];
    for (const name of ['first', 'second', 'third']) {
      const one = await makeProject({
        registry: stack.registry,
        name: `queue-${name}`,
        lines: ['LABEL io.flightline.example.builder-seconds=6'],
        disks: [{ type: 'raw', publish: 'none' }],
      });
      projects.push(one);
      started.push(one);
      const detached = await runFlightline(['run', one.spec, '--detach', '--json'], { environment });
      expect(detached.exitCode, detached.stderr).toBe(0);
      runs.push(
        runFlightline(['watch', one.release, '--json'], { environment }).then((result) => {
          expect(result.exitCode, result.stderr).toBe(0);
          order.push(name);
        }),
      );
    }
    const shown = await eventually('the third says what it waits for', async () => {
      const { stdout } = await runFlightline(['status', started[2]!.release], { environment });
      return /waiting: host-a has .*/.exec(stdout)?.[0];
    });
    expect(shown).toMatch(/waiting: host-a has (1 of 1 disk builds running|promised its next slot to)/);
    let most = 0;
    const count = setInterval(() => {
      void builderContainers(stack).then((found) => {
        most = Math.max(most, found.filter(({ state }) => state === 'running').length);
      });
    }, 1_000);
    await Promise.all(runs).finally(() => clearInterval(count));
    expect(order).toEqual(['first', 'second', 'third']);
    expect(most).toBe(1);
    expect(await leftOvers(stack)).toEqual([]);
  });
});
