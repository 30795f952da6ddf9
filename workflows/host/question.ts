/** A question that somebody waits for, put to one build host. */
import { ActivityFailure } from '@temporalio/common';
import { isCancellation } from '@temporalio/workflow';
import { failureOf } from '../../model/failure/failure.ts';
import { failureFrom, timeoutTypeOf, toTemporalFailure } from '../failure.ts';

/**
 * The host's answer. Fails with what the activity failed with, or as `no-host` when the host does not answer in time.
 */
export async function answerOf<Answer>(host: string, question: () => Promise<Answer>): Promise<Answer> {
  try {
    return await question();
  } catch (error) {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    const failure =
      timeoutTypeOf(error) === undefined
        ? failureFrom(error, null)
        : failureOf('no-host', `${host} does not answer: its build worker is not running`);
    throw toTemporalFailure(failure, failure);
  }
}
