/** When a command looks at a release that it follows. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { followRelease } from '../../../../client/follow/release.ts';
import { processOutput } from '../../../../client/terminal/output.ts';
import type { ReleaseView } from '../../../../client/view/activities.ts';
import { record } from '../view/record.ts';

test('a release that ends while it is looked at is looked at again at once', async () => {
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  const looks: ReleaseView['record']['status'][] = ['running', 'released'];
  const reader = {
    release: 'release/registry.example/acme/edge:v1',
    runId: 'run',
    ended: () => ended,
    read: async () => {
      const status = looks.shift()!;
      // The server has answered with what was, and the end comes before the answer.
      end();
      await sleep(1);
      return { record: record({ status }), activities: [] };
    },
  };
  const output = { ...processOutput({ json: true }), live: false, note: () => undefined };
  const { signal } = new AbortController();
  const following = followRelease(reader, output, { until: 'final', signal });
  const first = await Promise.race([following, sleep(900).then(() => 'it waited for the next look')]);
  expect(first).toMatchObject({ status: 'released' });
});
