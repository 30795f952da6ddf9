import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { failAbandonedAttempts, recordAttempts } from '../../../workers/attempts.ts';
import { attemptFile, parseAttempt, workerRestarted } from '../../../workers/attempt-file.ts';

const token = new Uint8Array([1, 2, 3, 250]);
const info = {
  taskToken: token,
  activityType: 'diskBuild',
  attempt: 2,
  workflowExecution: { workflowId: 'release/r:t' },
};

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-attempts-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Runs a body as the worker does, with the interceptor around it. */
async function run(body: () => Promise<unknown>, warn: (message: string) => void = () => undefined, where = directory) {
  const context = { info } as Parameters<ActivityInterceptorsFactory>[0];
  const { inbound } = recordAttempts(where, warn)(context);
  return inbound!.execute!({ args: [], headers: {} }, body);
}

describe('a running attempt', () => {
  it('is noted, for the owner only, until it ends', async () => {
    await run(async () => {
      const [file] = await readdir(directory);
      expect(file).toBe(attemptFile(token));
      expect((await stat(join(directory, file!))).mode & 0o777).toBe(0o600);
      expect(parseAttempt(await readFile(join(directory, file!), 'utf8'))).toEqual({
        token: Buffer.from(token).toString('base64'),
        activity: 'diskBuild',
        workflow: 'release/r:t',
        attempt: 2,
      });
    });
    expect(await readdir(directory)).toEqual([]);
  });

  it('is forgotten when it fails, and the failure goes on', async () => {
    await expect(run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await readdir(directory)).toEqual([]);
  });

  it('goes on when it cannot be noted', async () => {
    const warnings: string[] = [];
    await expect(
      run(
        async () => 'done',
        (message) => warnings.push(message),
        '/nowhere',
      ),
    ).resolves.toBe('done');
    expect(warnings).toHaveLength(1);
  });
});

describe('attempts left behind', () => {
  const leave = (name: string, text: string) => writeFile(join(directory, name), text);
  const noted = JSON.stringify({ token: 'AQID', activity: 'build', workflow: 'release/r:t', attempt: 1 });
  const clientThat = (fail: (token: Uint8Array, error: unknown) => Promise<void>) =>
    ({ activity: { fail } }) as unknown as Pick<Client, 'activity'>;

  it('are failed with their token, and forgotten', async () => {
    await leave('a.attempt.json', noted);
    await leave('readme.txt', 'not ours');
    const told: [Uint8Array, unknown][] = [];
    const outcome = await failAbandonedAttempts(
      clientThat(async (given, error) => void told.push([given, error])),
      directory,
    );
    expect(outcome).toEqual([{ activity: 'build', workflow: 'release/r:t', outcome: 'failed' }]);
    expect([...told[0]![0]]).toEqual([1, 2, 3]);
    expect(await readdir(directory)).toEqual(['readme.txt']);
  });

  test.each([
    ['the server has gone on', 'ActivityNotFoundError', 'gone'],
    ['another server', 'ActivityCompletionError', 'refused'],
  ])('%s', async (_case, name, outcome) => {
    await leave('a.attempt.json', noted);
    const refusal = Object.assign(new Error('Not found'), { name });
    const [result] = await failAbandonedAttempts(
      clientThat(() => Promise.reject(refusal)),
      directory,
    );
    expect(result!.outcome).toBe(outcome);
    expect(await readdir(directory)).toEqual([]);
  });

  test.each(['', '{"token":', '{"token":"!","activity":"a","workflow":"w","attempt":1}'])(
    'half a file: %j',
    async (text) => {
      await leave('a.attempt.json', text);
      const [result] = await failAbandonedAttempts(
        clientThat(() => Promise.reject(new Error('must not be asked'))),
        directory,
      );
      expect(result!.outcome).toBe('unreadable');
      expect(await readdir(directory)).toEqual([]);
    },
  );

  it('are none in a directory that is not there', async () => {
    expect(
      await failAbandonedAttempts(
        clientThat(async () => undefined),
        join(directory, 'sign'),
      ),
    ).toEqual([]);
  });

  it('are retried by the server at once', () => {
    expect(workerRestarted({ activity: 'build' })).toMatchObject({
      type: 'worker-restarted',
      nonRetryable: false,
      nextRetryDelay: 50,
    });
  });
});
