/** What every workflow here does with what it sends: the timings that are the defaults are left out of inputs of activities. */
import type { WorkflowInterceptors } from '@temporalio/workflow';
import { isTiming, withoutDefaults } from '../model/base/timing.ts';

/**
 * Loaded by the worker together with the workflows. Twenty inputs of a release would carry the same half kilobyte of timings; the
 * activity fills them in again when it parses its input. Inputs of workflows keep them all: a running release must not change its
 * timings when the defaults do.
 */
export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      scheduleActivity: (input, next) => next({ ...input, args: input.args.map(sparse) }),
    },
  ],
});

function sparse(argument: unknown): unknown {
  if (typeof argument !== 'object' || argument === null || !('timing' in argument)) return argument;
  const { timing } = argument;
  return isTiming(timing) ? { ...argument, timing: withoutDefaults(timing) } : argument;
}
