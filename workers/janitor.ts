/** Wakes the janitor of a build host: soon after its worker starts, and hourly (DESIGN §5). What it removes is decided in activities/. */
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { sweep } from '../activities/janitor.ts';
import type { HostContext } from '../activities/work-directory.ts';

/** Pause between two sweeps (ms). */
const INTERVAL = 60 * 60_000;
/**
 * Pause before the first one (ms). While the worker was away nobody confirmed its leases: releases that are still open first get
 * longer than a lease's life (spec/timing.ts) to come back for their containers.
 */
const FIRST = 3 * 60_000;

/** Sweeps soon and hourly; a sweep that fails is logged, and the next one tries again. Returns what stops it. */
export function startJanitor(host: HostContext, client: Client, logger: Logger): () => void {
  const run = () => {
    sweep(host, (release) => isOpen(client, release)).then(
      (removed) => logger.info({ event: 'janitor', removed }, 'the janitor looked after this host'),
      (error: unknown) => logger.warn({ event: 'janitor', error }, 'the janitor could not finish; it tries again'),
    );
  };
  const first = setTimeout(run, FIRST).unref();
  const hourly = setInterval(run, INTERVAL).unref();
  return () => {
    clearTimeout(first);
    clearInterval(hourly);
  };
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
