/**
 * What all workflows do with the inputs that they send and the errors that they throw. The worker loads it with the
 * workflows.
 */
import { ContinueAsNew, type WorkflowInterceptors } from '@temporalio/workflow';
import { TemporalFailure } from '@temporalio/common';
import { isTiming, withoutDefaults } from '../model/base/timing.ts';
import { toTemporalFailure, unexpectedFailure } from './failure.ts';

/**
 * - A fault of this code ends the workflow, or the update, as failed. The SDK's default is to try the workflow task
 *   again for ever: then nobody is told, and a cancellation has no effect.
 * - Timings that are the defaults are left out of inputs of activities: twenty inputs of a release would carry the
 *   same half kilobyte. The activity fills them in again when it parses its input. Inputs of workflows keep them all:
 *   a running release must not change its timings when the defaults do.
 */
export const interceptors = (): WorkflowInterceptors => ({
  inbound: [
    {
      execute: (input, next) => next(input).catch(endAsFailed),
      handleUpdate: (input, next) => next(input).catch(endAsFailed),
    },
  ],
  outbound: [
    {
      scheduleActivity: (input, next) => next({ ...input, args: input.args.map(sparse) }),
    },
  ],
});

function endAsFailed(error: unknown): never {
  if (error instanceof TemporalFailure || error instanceof ContinueAsNew) throw error;
  const failure = unexpectedFailure(error);
  throw toTemporalFailure(failure, failure);
}

function sparse(argument: unknown): unknown {
  if (typeof argument !== 'object' || argument === null || !('timing' in argument)) return argument;
  const { timing } = argument;
  return isTiming(timing) ? { ...argument, timing: withoutDefaults(timing) } : argument;
}
