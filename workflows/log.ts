/** The `log` workflow: fetches one page of a log from the host it lies on. */
import { ActivityFailure } from '@temporalio/common';
import { isCancellation, proxyActivities } from '@temporalio/workflow';
import { z } from 'zod';
import { type HostActivities, type LogPageResult } from '../spec/contract.ts';
import { LogInput } from '../spec/messages.ts';
import { failureOf } from '../spec/failure.ts';
import { failureFrom, timeoutTypeOf, toTemporalFailure } from './failure.ts';
import { logOptions } from './options.ts';

/** One page of a log. Fails with `no-host` when the host does not answer. */
export async function log(input: LogInput): Promise<LogPageResult> {
  const parsed = LogInput.safeParse(input);
  if (!parsed.success) {
    const failure = failureOf('invalid-input', z.prettifyError(parsed.error));
    throw toTemporalFailure(failure, failure);
  }
  const { host, timing, ...page } = parsed.data;
  try {
    return await proxyActivities<HostActivities>(logOptions(timing, host, `log page from ${host}`)).logPage(page);
  } catch (error) {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    const failure =
      timeoutTypeOf(error) === undefined
        ? failureFrom(error, null)
        : failureOf('no-host', `${host} does not answer: its build worker is not running`);
    throw toTemporalFailure(failure, failure);
  }
}
