/**
 * Attempts that a killed worker left behind. While an activity runs, its task token lies in a file. A worker that
 * starts fails the tokens that it finds, so that the server starts the next attempt at once and not after a heartbeat
 * timeout.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { type Attempt, parseAttempt, workerRestarted, attemptFile, SUFFIX } from './attempt-file.ts';

/** Called when a file could not be written or removed. */
type AttemptWarning = (message: string) => void;

/** An interceptor that keeps the task token of each running attempt in a file (0600) in `directory`. */
export function recordAttempts(directory: string, warn: AttemptWarning): ActivityInterceptorsFactory {
  return ({ info }) => ({
    inbound: {
      async execute(input, next) {
        const file = join(directory, attemptFile(info.taskToken));
        const attempt: Attempt = {
          token: Buffer.from(info.taskToken).toString('base64'),
          activity: info.activityType,
          workflow: info.workflowExecution?.workflowId ?? '',
          attempt: info.attempt,
        };
        // A full disk must not stop the activity, which may be the clean-up. A restart is then noticed by the heartbeat
        // timeout.
        await writeFile(file, JSON.stringify(attempt), { mode: 0o600 }).catch((error: Error) =>
          warn(`cannot record the attempt: ${error.message}`),
        );
        try {
          return await next(input);
        } finally {
          await rm(file, { force: true }).catch((error: Error) => warn(`cannot remove ${file}: ${error.message}`));
        }
      },
    },
  });
}

/** What happened to an attempt that was left behind. */
interface AbandonedAttempt {
  activity: string;
  workflow: string;
  /**
   * `failed`: the next attempt will start. `gone`: the server has moved on already. `unreadable`: the worker was killed
   * while writing it.
   */
  outcome: 'failed' | 'gone' | 'unreadable' | 'refused';
  /** Why, when the server refused it. */
  reason?: string;
}

/**
 * Fails every attempt left in `directory`, and creates the directory if needed. Call it under the directory's lock,
 * before polling.
 */
export async function failAbandonedAttempts(
  client: Pick<Client, 'activity'>,
  directory: string,
): Promise<AbandonedAttempt[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const files = (await readdir(directory)).filter((file) => file.endsWith(SUFFIX));
  return Promise.all(files.map((file) => failAttempt(client, join(directory, file))));
}

async function failAttempt(client: Pick<Client, 'activity'>, file: string): Promise<AbandonedAttempt> {
  const attempt = parseAttempt(await readFile(file, 'utf8'));
  const outcome = attempt
    ? await tell(client, attempt)
    : { activity: 'unknown', workflow: 'unknown', outcome: 'unreadable' as const };
  await rm(file, { force: true });
  return outcome;
}

async function tell(client: Pick<Client, 'activity'>, attempt: Attempt): Promise<AbandonedAttempt> {
  const { activity, workflow } = attempt;
  try {
    await client.activity.fail(Buffer.from(attempt.token, 'base64'), workerRestarted(attempt));
    return { activity, workflow, outcome: 'failed' };
  } catch (error) {
    if (error instanceof Error && error.name === 'ActivityNotFoundError')
      return { activity, workflow, outcome: 'gone' };
    // Another server, or one that was set up again: its heartbeat timeout decides, and the token is useless.
    return { activity, workflow, outcome: 'refused', reason: error instanceof Error ? error.message : String(error) };
  }
}
