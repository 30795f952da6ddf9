/** The `compareNow` workflow: what a nightly release would make anew if it ran now. It leaves nothing anywhere. */
import type { ActivitiesOn } from '../../model/contract/activities.ts';
import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import { CompareNowInput, type CompareResult } from '../../model/contract/control.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { reasonOf } from '../dry-run.ts';
import { parseInput, toTemporalFailure } from '../failure.ts';
import { dryRunOptions } from '../options.ts';
import { settled } from '../release/run-stage.ts';

/** Somebody waits for the answer. Fails with what a release would be refused for. */
export async function compareNow(input: CompareNowInput): Promise<CompareResult> {
  const { template } = parseInput(CompareNowInput, input);
  const { workflowId, runId, startTime } = workflowInfo();
  const options = dryRunOptions(template.timing, CONTROL_QUEUE, 'compare');
  const { compare } = proxyActivities<ActivitiesOn<'control'>>(options);
  const answer = await settled(compare({ release: workflowId, runId, template, at: startTime.toISOString() }));
  if (answer.ok) return answer.value;
  const failure = reasonOf(answer.error, 'resolve');
  throw toTemporalFailure(failure, failure);
}
