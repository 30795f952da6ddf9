/** The `hostStatus` workflow: asks one build host what it has and does. */
import { ActivityFailure } from '@temporalio/common';
import { isCancellation, proxyActivities } from '@temporalio/workflow';
import { z } from 'zod';
import type { HostActivities } from '../spec/contract.ts';
import { failureOf } from '../spec/failure.ts';
import { HostStatusWorkflowInput, type HostStatus } from '../spec/host-status.ts';
import { failureFrom, timeoutTypeOf, toTemporalFailure } from './failure.ts';
import { hostStatusOptions } from './options.ts';

/** A host's answer. Fails with `no-host` when it does not answer in time. */
export async function hostStatus(input: HostStatusWorkflowInput): Promise<HostStatus> {
  const parsed = HostStatusWorkflowInput.safeParse(input);
  if (!parsed.success) {
    const failure = failureOf('invalid-input', z.prettifyError(parsed.error));
    throw toTemporalFailure(failure, failure);
  }
  const { host, within } = parsed.data;
  try {
    return await proxyActivities<HostActivities>(hostStatusOptions(host, within, `what ${host} does`)).hostStatus({
      within,
    });
  } catch (error) {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    const failure =
      timeoutTypeOf(error) === undefined
        ? failureFrom(error, null)
        : failureOf('no-host', `${host} does not answer: its build worker is not running`);
    throw toTemporalFailure(failure, failure);
  }
}
