/** What a control worker with a version does beside polling: it becomes current, and takes over what is left behind. */
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import type { WorkflowSource } from '../workflow-source.ts';
import { namesOf, replayLeftBehind } from './replay.ts';
import { ASKS_WITHIN } from '../../model/contract/queue.ts';
import { becomeCurrent, currentVersion, moveToVersion, versionsAtWork } from './versions.ts';

/** Pause between two checks of what is left (ms). */
const LOOK = 60_000;

/**
 * Becomes current, and looks every minute for workflows that are pinned to a version of which no worker runs any more.
 * Returns the function that stops it.
 *
 * @param pace.within a worker that has asked for work within this time (ms) runs
 */
export function startTakeOver(
  client: Client,
  source: WorkflowSource,
  logger: Logger,
  pace = { look: LOOK, within: ASKS_WITHIN },
): () => void {
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      if (await becomeCurrent(client, source.buildId))
        logger.info(`what begins from now on begins with this version (${source.buildId})`);
      await takeOver(client, source, logger, pace.within);
    } catch (error) {
      logger.warn({ error }, 'the versions of control workers could not be looked at; it is tried again');
    } finally {
      looking = false;
    }
  };
  void look();
  const timer = setInterval(() => void look(), pace.look).unref();
  return () => clearInterval(timer);
}

/** Lets what is pinned to a version without workers go on with this one, where it replays and this one is current. */
async function takeOver(client: Client, source: WorkflowSource, logger: Logger, within: number): Promise<void> {
  if ((await currentVersion(client)) !== source.buildId) return;
  const { goesOn, stuck } = await replayLeftBehind(client, source, await versionsAtWork(client, within));
  for (const one of goesOn) {
    await moveToVersion(client, one, source);
    logger.info(`${one.workflowId} goes on with this version: no worker of ${one.version} runs`);
  }
  if (stuck.length > 0) {
    const versions = [...new Set(stuck.map(({ version }) => version))].join(', ');
    logger.warn(`no worker of ${versions} runs, and with this version would not go on: ${namesOf(stuck)}`);
  }
}
