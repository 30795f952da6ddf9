/** The `plan` workflow: what a release would be made of, and whether it could be signed. It leaves nothing anywhere. */
import { ActivityFailure } from '@temporalio/common';
import { isCancellation, workflowInfo } from '@temporalio/workflow';
import { PlanWorkflowInput, type PlanWorkflowResult } from '../model/contract/dry-run.ts';
import { failureOf, type Failure } from '../model/failure/failure.ts';
import { CONTROL_QUEUE, SIGN_QUEUE } from '../model/contract/queue.ts';
import { releaseId } from '../model/oci/reference.ts';
import type { Stage } from '../model/stage/stage.ts';
import { failureFrom, isSilence, parseInput, toTemporalFailure } from './failure.ts';
import { activities } from './activities.ts';
import { signedRepositories } from './release/plan.ts';
import { settled } from './run-stage.ts';

/** A dry run's look. Fails with what resolve would reject; that nothing could be signed is a part of the answer. */
export async function plan(input: PlanWorkflowInput): Promise<PlanWorkflowResult> {
  const { request, context } = parseInput(PlanWorkflowInput, input);
  const { key, timing } = request;
  const identity = { release: releaseId(request.repository, request.tag), runId: workflowInfo().runId };
  const control = activities('dryRun', timing, 'plan', CONTROL_QUEUE);
  const sign = activities('dryRun', timing, 'prove signing', SIGN_QUEUE);
  const repositories = signedRepositories(request);
  const [resolved, signing] = await Promise.all([
    settled(control.plan({ ...identity, request, context })),
    settled(sign.proveSigning({ ...identity, key, repositories, timing })),
  ]);
  if (!resolved.ok) {
    const failure = reasonOf(resolved.error, 'resolve');
    throw toTemporalFailure(failure, failure);
  }
  return { resolved: resolved.value, signing: signing.ok ? null : reasonOf(signing.error, 'sign') };
}

/** What an activity of a look failed with; no worker that takes it up is a reason of its own. */
export function reasonOf(error: unknown, stage: Stage): Failure {
  if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
  if (!isSilence(error)) return failureFrom(error, stage);
  const role = stage === 'sign' ? 'sign' : 'control';
  return failureOf('no-host', `no ${role} worker took it up: none runs, or all are busy`, {
    stage,
    remedy: `see that a ${role} worker runs (\`flightline worker --role ${role}\`)`,
  });
}
