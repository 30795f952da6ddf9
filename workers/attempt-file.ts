/** The file that a worker keeps for a running attempt, and the failure of one left behind. Pure. */
import { createHash } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import { failureOf } from '../model/failure/failure.ts';

/** What is kept of a running attempt. Only the token matters; the rest is for the log and for people. */
const Attempt = z.object({
  token: z.base64(),
  activity: z.string(),
  workflow: z.string(),
  attempt: z.number(),
});

export type Attempt = z.infer<typeof Attempt>;

/** Names of attempt files. Other files in the directory are left alone. */
export const SUFFIX = '.attempt.json';

/** A file name for a task token. */
export function attemptFile(token: Uint8Array): string {
  return `${createHash('sha256').update(token).digest('hex').slice(0, 32)}${SUFFIX}`;
}

/** The failure that the server records for an attempt whose worker was killed; the next attempt starts at once. */
export function workerRestarted(attempt: Pick<Attempt, 'activity'>): ApplicationFailure {
  const failure = failureOf(
    'worker-restarted',
    `the worker was restarted during ${attempt.activity}; the next attempt looks for what it had started`,
  );
  return ApplicationFailure.create({
    message: failure.message,
    type: failure.kind,
    nonRetryable: false,
    details: [failure],
    nextRetryDelay: 50,
  });
}

/** Reads what {@link recordAttempts} wrote; `undefined` for anything else, such as part of a file. */
export function parseAttempt(text: string): Attempt | undefined {
  try {
    return Attempt.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
