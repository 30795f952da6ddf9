/** The `log` workflow: fetches one page of a log from its host. */
import type { LogPageResult } from '../../model/contract/host.ts';
import { LogInput } from '../../model/contract/workflows.ts';
import { parseInput } from '../failure.ts';
import { answerOf } from './answer.ts';
import { activities } from '../activities.ts';

/** One page of a log. Fails with `no-host` when the host does not answer. */
export async function log(input: LogInput): Promise<LogPageResult> {
  const { host, timing, ...page } = parseInput(LogInput, input);
  const worker = activities('page', timing, `log page from ${host}`, host);
  return answerOf(host, () => worker.logPage(page));
}
