/** Wakes the janitor of a build host: when its worker starts, and hourly (DESIGN §5). What it removes is decided in activities/. */
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { sweep } from '../activities/janitor.ts';
import type { HostContext } from '../activities/work-directory.ts';

/** Pause between two sweeps (ms). */
const INTERVAL = 60 * 60_000;

/** Sweeps now and hourly; a sweep that fails is logged, and the next one tries again. Returns what stops it. */
export function startJanitor(host: HostContext, client: Client, logger: Logger): () => void {
  const run = () => {
    sweep(host, (release) => isOpen(client, release)).then(
      (removed) => logger.info({ event: 'janitor', removed }, 'the janitor looked after this host'),
      (error: unknown) => logger.warn({ event: 'janitor', error }, 'the janitor could not finish; it tries again'),
    );
  };
  run();
  const timer = setInterval(run, INTERVAL);
  timer.unref();
  return () => clearInterval(timer);
}

/** `true` while the release runs or is held. When the server cannot say, it throws: nothing may be removed on a guess. */
export async function isOpen(client: Pick<Client, 'workflow'>, release: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(release).describe();
    return status.name === 'RUNNING' || status.name === 'PAUSED';
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return false;
    throw error;
  }
}
