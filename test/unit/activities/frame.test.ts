import { setTimeout as sleep } from 'node:timers/promises';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { framed } from '../../../activities/frame.ts';
import type { Task } from '../../../activities/tools/process/task.ts';
import { startActivity } from '../../support/activity.ts';

const Input = z.object({ release: z.string() });

describe('two attempts at the same work in one process', () => {
  const make = (name: 'build' | 'probe') => {
    const running = { now: 0, most: 0 };
    const activity = framed(name, Input, async (_input, context: Task) => {
      running.most = Math.max(running.most, ++running.now);
      await sleep(300, undefined, { signal: context.signal }).catch(() => undefined);
      running.now--;
      return {};
    });
    return { activity, running };
  };

  it('run one after the other', async () => {
    const { activity, running } = make('build');
    const attempts = [1, 2, 3].map(() => startActivity(activity, { release: 'a' }).result);
    await Promise.all(attempts);
    expect(running).toEqual({ now: 0, most: 1 });
  });

  it('run side by side when they are about different releases, or need no turn', async () => {
    const build = make('build');
    await Promise.all(['a', 'b'].map((release) => startActivity(build.activity, { release }).result));
    expect(build.running.most).toBe(2);
    const probe = make('probe');
    await Promise.all([1, 2].map(() => startActivity(probe.activity, { release: 'a' }).result));
    expect(probe.running.most).toBe(2);
  });

  it('end at once when they are cancelled while they wait', async () => {
    const { activity, running } = make('build');
    const first = startActivity(activity, { release: 'a' });
    const second = startActivity(activity, { release: 'a' });
    second.cancel('detach');
    await expect(second.result).rejects.toThrow();
    expect(running.now).toBe(1);
    await first.result;
    expect(running.most).toBe(1);
  });
});

describe('a failure of no known kind', () => {
  const failing = (name: 'build' | 'push', messages: string[]) => {
    let attempt = 0;
    const activity = framed(name, Input, () => Promise.reject(new Error(messages[attempt++])));
    const info = (release: string) => ({ attempt: 1, activityId: release, heartbeatTimeoutMs: 2_000 });
    const quiet = { logger: new DefaultLogger('ERROR') };
    const run = (release: string) =>
      new MockActivityEnvironment(info(release), quiet).run(activity, { release }).then(
        () => expect.fail('it should have failed'),
        (error: { nonRetryable?: boolean }) => error.nonRetryable,
      );
    return run;
  };

  it('that comes back with the same words is not tried a third time', async () => {
    const run = failing('build', ['one', 'two', 'two']);
    expect([await run('a'), await run('a'), await run('a')]).toEqual([false, false, true]);
  });

  it('is tried again when another release failed so, and where a registry is asked', async () => {
    const build = failing('build', ['one', 'one']);
    expect([await build('b'), await build('c')]).toEqual([false, false]);
    const push = failing('push', ['one', 'one', 'one']);
    expect([await push('a'), await push('a'), await push('a')]).toEqual([false, false, false]);
  });
});
