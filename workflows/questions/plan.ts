/** A dry run: what a release would be made of, and whether it could be signed. Changes nothing. */
import { workflowInfo } from '@temporalio/workflow';
import { PlanWorkflowInput, type PlanWorkflowResult } from '../../model/contract/dry-run.ts';
import { CONTROL_QUEUE, SIGN_QUEUE } from '../../model/contract/queue.ts';
import { releaseId } from '../../model/oci/reference.ts';
import { activities } from '../activities.ts';
import { noAnswer } from './answer.ts';
import { parseInput, toTemporalFailure } from '../failure.ts';
import { signedRepositories } from '../release/plan.ts';
import { settled } from '../run-stage.ts';

/** The answer for a dry run. Fails with what resolve would reject; a failed proof of signing is part of the answer. */
export async function plan(input: unknown): Promise<PlanWorkflowResult> {
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
    const failure = noAnswer(resolved.error, 'resolve');
    throw toTemporalFailure(failure, failure);
  }
  return { resolved: resolved.value, signing: signing.ok ? null : noAnswer(signing.error, 'sign') };
}
