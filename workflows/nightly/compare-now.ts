/** The `compareNow` workflow: what a nightly release would make anew if it ran now. It leaves nothing anywhere. */
import { workflowInfo } from '@temporalio/workflow';
import { CompareNowInput, type CompareResult } from '../../model/contract/control.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { noAnswer } from '../host/answer.ts';
import { parseInput, toTemporalFailure } from '../failure.ts';
import { activities } from '../activities.ts';
import { settled } from '../run-stage.ts';

/** Somebody waits for the answer. Fails with what a release would be refused for. */
export async function compareNow(input: CompareNowInput): Promise<CompareResult> {
  const { template } = parseInput(CompareNowInput, input);
  const { workflowId, runId, startTime } = workflowInfo();
  const worker = activities('dryRun', template.timing, 'compare', CONTROL_QUEUE);
  const answer = await settled(worker.compare({ release: workflowId, runId, template, at: startTime.toISOString() }));
  if (answer.ok) return answer.value;
  const failure = noAnswer(answer.error, 'resolve');
  throw toTemporalFailure(failure, failure);
}
