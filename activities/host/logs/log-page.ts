/** The `logPage` activity: a page of a log on this host, for `flightline logs`. */
import type { ActivityAnswer } from '../../../model/contract/activities.ts';
import type { Task } from '../../tools/process/task.ts';
import { setTimeout as pause } from 'node:timers/promises';
import type { LogPageInput, LogPageResult } from '../../../model/contract/host.ts';
import type { HostBody, HostContext } from '../work-directory.ts';
import { MissingLog, readLogPage } from './log-file.ts';

/** Milliseconds between two reads of a log that is being followed. */
const LOOK = 250;

async function logPage(
  host: Pick<HostContext, 'name' | 'work'>,
  { path, offset, wait }: LogPageInput,
  context: Task,
): Promise<ActivityAnswer<'logPage'>> {
  if (wait === undefined) return readLogPage(host, path, offset);
  // Return before the attempt times out, and at once when the worker stops.
  for (const until = Date.now() + wait; ; await pause(LOOK)) {
    const page = await readLogPage(host, path, offset).catch(whenMissing(offset));
    if (page.text !== '' || page.restarted || Date.now() >= until || context.signal.aborted) return page;
  }
}

/** A log that is being followed may not exist yet, or its directory may have been removed and is made again. */
function whenMissing(offset: number): (error: unknown) => LogPageResult {
  return (error) => {
    if (!(error instanceof MissingLog)) throw error;
    return { text: '', nextOffset: offset, end: true };
  };
}

export default logPage satisfies HostBody<'logPage'>;
