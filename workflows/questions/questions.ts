/**
 * The `questions` workflow: answers all that one command asks, so that the Web UI lists it once. It ends when its
 * command has asked nothing for a while; a later question begins it anew.
 */
import { allHandlersFinished, condition, defineUpdate, setHandler, workflowInfo } from '@temporalio/workflow';
import { DEFAULT_TIMING } from '../../model/base/timing.ts';
import { CompareNowInput } from '../../model/contract/control.ts';
import { HostStatusWorkflowInput } from '../../model/contract/host-status.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { ASK_UPDATE, LogInput, Question } from '../../model/contract/workflows.ts';
import { activities } from '../activities.ts';
import { parseInput, toTemporalFailure } from '../failure.ts';
import { settled } from '../run-stage.ts';
import { tagNow } from '../tags/shared-tag.ts';
import { answerOf, noAnswer } from './answer.ts';
import { plan } from './plan.ts';

/** Milliseconds without a question after which its command counts as ended. */
const IDLE = 10_000;

const ask = defineUpdate<unknown, [Question]>(ASK_UPDATE);

/** Each checks its input itself, and fails with why there is no answer. */
const ANSWERS: Record<Question['about'], (input: unknown) => Promise<unknown>> = {
  host: (input) => {
    const { host, within } = parseInput(HostStatusWorkflowInput, input);
    const worker = activities('status', DEFAULT_TIMING, `what ${host} does`, { host, within });
    return answerOf(host, () => worker.hostStatus({ within }));
  },
  log: (input) => {
    const { host, timing, ...page } = parseInput(LogInput, input);
    const worker = activities('page', timing, `log page from ${host}`, host);
    return answerOf(host, () => worker.logPage(page));
  },
  /** What a nightly release would make anew if it ran now. It leaves nothing anywhere. */
  night: async (input) => {
    const { template } = parseInput(CompareNowInput, input);
    const { workflowId, runId } = workflowInfo();
    const worker = activities('dryRun', template.timing, 'compare', CONTROL_QUEUE);
    const at = new Date().toISOString();
    const answer = await settled(worker.compare({ release: workflowId, runId, template, at }));
    if (answer.ok) return answer.value;
    const failure = noAnswer(answer.error, 'resolve');
    throw toTemporalFailure(failure, failure);
  },
  plan,
  tag: tagNow,
};

/** Answers until nobody asks. */
export async function questions(): Promise<void> {
  let asked = 0;
  setHandler(
    ask,
    ({ about, input }) => {
      asked += 1;
      return ANSWERS[about](input);
    },
    { validator: (question) => void parseInput(Question, question) },
  );
  let seen: number;
  do {
    await condition(allHandlersFinished);
    seen = asked;
    // A long history ends between two questions.
  } while (!workflowInfo().continueAsNewSuggested && (await condition(() => asked > seen, IDLE)));
}
