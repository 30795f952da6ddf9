/** When the newest workflow that ended well has ended. Pure. */
import type { WorkflowExecutionInfo } from '@temporalio/client';

/** How many nightly runs are searched, the newest first. */
export const NIGHTS_LOOKED_AT = 50;

/** A workflow that has ended. */
export type Run = Pick<WorkflowExecutionInfo, 'workflowId' | 'runId' | 'closeTime'>;

/**
 * When the newest of these that ended well has ended; `undefined` when none of the first {@link NIGHTS_LOOKED_AT} did.
 */
export async function newestWell(
  runs: AsyncIterable<Run>,
  endedWell: (run: Run) => Promise<boolean>,
): Promise<Date | undefined> {
  let looked = 0;
  for await (const run of runs) {
    if (run.closeTime && (await endedWell(run))) return run.closeTime;
    looked += 1;
    if (looked === NIGHTS_LOOKED_AT) break;
  }
  return undefined;
}

/** Asks once about each run among the newest: a run that has ended does not change. */
export function remembering(ask: (run: Run) => Promise<boolean>): (run: Run) => Promise<boolean> {
  const answers = new Map<string, boolean>();
  return async (run) => {
    const known = answers.get(run.runId);
    if (known !== undefined) return known;
    const answer = await ask(run);
    if (answers.size >= 2 * NIGHTS_LOOKED_AT) answers.delete(answers.keys().next().value!);
    answers.set(run.runId, answer);
    return answer;
  };
}
