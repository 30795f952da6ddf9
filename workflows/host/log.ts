/** The `log` workflow: fetches one page of a log from the host it lies on. */
import type { ActivitiesOn } from '../../model/contract/activities.ts';
import { proxyActivities } from '@temporalio/workflow';
import type { LogPageResult } from '../../model/contract/host.ts';
import { LogInput } from '../../model/contract/messages.ts';
import { parseInput } from '../failure.ts';
import { answerOf } from './question.ts';
import { logOptions } from '../options.ts';

/** One page of a log. Fails with `no-host` when the host does not answer. */
export async function log(input: LogInput): Promise<LogPageResult> {
  const { host, timing, ...page } = parseInput(LogInput, input);
  const { logPage } = proxyActivities<ActivitiesOn<'short'>>(logOptions(timing, host, `log page from ${host}`));
  return answerOf(host, () => logPage(page));
}
