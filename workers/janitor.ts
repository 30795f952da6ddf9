/**
 * Runs the janitor of a build host: soon after its worker starts, hourly, and when a release has ended whose lease had
 * lapsed. `activities/sweep` decides what it removes.
 */
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { sweep } from '../activities/sweep/sweep.ts';
import type { HostContext } from '../activities/host/work-directory.ts';
import { countRemoved } from './telemetry/measure.ts';
import { lookForAbandoned } from '../activities/sweep/abandoned.ts';

/** Pause between two sweeps (ms). */
const INTERVAL = 60 * 60_000;
/**
 * Pause before the first sweep (ms). While the worker was away nothing confirmed its leases. Open releases get longer
 * than the life of a lease (model/base/timing.ts) to come back for their containers.
 */
const FIRST = 3 * 60_000;
/** Pause between two checks of the leases (ms). */
const LOOK = 5_000;

/**
 * Sweeps soon, hourly, and when needed. A failed sweep is logged, and the next one tries again. Returns the function
 * that stops it.
 */
export function startJanitor(host: HostContext, client: Client, logger: Logger): () => void {
  let sweeping = false;
  const run = async () => {
    if (sweeping) return;
    sweeping = true;
    await sweep(host, (release) => isOpen(client, release)).then(
      (removed) => {
        countRemoved(removed.length);
        logger.info({ event: 'janitor', removed }, 'the janitor cleaned up this host');
      },
      (error: unknown) => logger.warn({ event: 'janitor', error }, 'the janitor could not finish; it will try again'),
    );
    sweeping = false;
  };
  const look = lookForAbandoned(host, (release) => isOpen(client, release));
  const first = setTimeout(() => void run(), FIRST).unref();
  const hourly = setInterval(() => void run(), INTERVAL).unref();
  const looking = setInterval(() => {
    look().then(
      (found) => (found ? run() : undefined),
      // No server, or a full disk: it looks again soon, and a sweep would log the error.
      () => undefined,
    );
  }, LOOK).unref();
  return () => {
    clearTimeout(first);
    clearInterval(hourly);
    clearInterval(looking);
  };
}

/**
 * `true` while the release is running or held. Throws when the server cannot say: nothing may be removed on a guess.
 */
async function isOpen(client: Pick<Client, 'workflow'>, release: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(release).describe();
    return status.name === 'RUNNING' || status.name === 'PAUSED';
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return false;
    throw error;
  }
}
