/** Questions to workers that somebody waits for: the answer, or why there is none. */
import { ActivityFailure } from '@temporalio/common';
import { isCancellation } from '@temporalio/workflow';
import { failureOf, type Failure } from '../../model/failure/failure.ts';
import type { Stage } from '../../model/stage/stage.ts';
import { failureFrom, isSilence, timeoutTypeOf, toTemporalFailure } from '../failure.ts';

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

/** Why a control or sign worker did not answer: its activity failed, or no worker took it. */
export function noAnswer(error: unknown, stage: Stage): Failure {
  if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
  if (!isSilence(error)) return failureFrom(error, stage);
  const role = stage === 'sign' ? 'sign' : 'control';
  return failureOf('no-host', `no ${role} worker took it up: none runs, or all are busy`, {
    stage,
    remedy: `see that a ${role} worker runs (\`flightline worker --role ${role}\`)`,
  });
}
