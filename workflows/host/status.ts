/** The `hostStatus` workflow: asks one build host what it has and does. */
import type { ActivitiesOn } from '../../model/contract/activities.ts';
import { proxyActivities } from '@temporalio/workflow';
import { HostStatusWorkflowInput, type HostStatus } from '../../model/contract/host-status.ts';
import { parseInput } from '../failure.ts';
import { answerOf } from './question.ts';
import { hostStatusOptions } from '../options.ts';

/** A host's answer. Fails with `no-host` when it does not answer in time. */
export async function hostStatus(input: HostStatusWorkflowInput): Promise<HostStatus> {
  const { host, within } = parseInput(HostStatusWorkflowInput, input);
  const activities = proxyActivities<ActivitiesOn<'short'>>(hostStatusOptions(host, within, `what ${host} does`));
  return answerOf(host, () => activities.hostStatus({ within }));
}
