/** The `hostStatus` workflow: asks one build host what it has and does. */
import { HostStatusWorkflowInput, type HostStatus } from '../../model/contract/host-status.ts';
import { DEFAULT_TIMING } from '../../model/base/timing.ts';
import { parseInput } from '../failure.ts';
import { answerOf } from './answer.ts';
import { activities } from '../activities.ts';

/** A host's answer. Fails with `no-host` when it does not answer in time. */
export async function hostStatus(input: HostStatusWorkflowInput): Promise<HostStatus> {
  const { host, within } = parseInput(HostStatusWorkflowInput, input);
  const worker = activities('status', DEFAULT_TIMING, `what ${host} does`, { host, within });
  return answerOf(host, () => worker.hostStatus({ within }));
}
