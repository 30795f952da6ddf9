/**
 * Wakes the janitor of a build host: soon after its worker starts, hourly, and when a release has ended without its lease (DESIGN
 * §5). What it removes is decided in activities/.
 */
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { sweep } from '../activities/sweep/janitor.ts';
import { lapsedLeases, sweepLeases, type LeaseHost } from '../activities/host/leases.ts';
import type { HostContext } from '../activities/host/work-directory.ts';
import { countRemoved } from './metrics.ts';

/** Pause between two sweeps (ms). */
const INTERVAL = 60 * 60_000;
/**
 * Pause before the first one (ms). While the worker was away nobody confirmed its leases: releases that are still open first get
 * longer than a lease's life (model/base/timing.ts) to come back for their containers.
 */
const FIRST = 3 * 60_000;
/** Pause between two looks at the leases (ms). */
const LOOK = 5_000;

/** Sweeps soon, hourly, and when it is needed; a sweep that fails is logged, and the next one tries again. Returns what stops it. */
export function startJanitor(host: HostContext, client: Client, logger: Logger): () => void {
  let sweeping = false;
  const run = async () => {
    if (sweeping) return;
    sweeping = true;
    await sweep(host, (release) => isOpen(client, release)).then(
      (removed) => {
        countRemoved(removed.length);
        logger.info({ event: 'janitor', removed }, 'the janitor looked after this host');
      },
      (error: unknown) => logger.warn({ event: 'janitor', error }, 'the janitor could not finish; it tries again'),
    );
    sweeping = false;
  };
  const look = lookForAbandoned(host, (release) => isOpen(client, release));
  const first = setTimeout(() => void run(), FIRST).unref();
  const hourly = setInterval(() => void run(), INTERVAL).unref();
  const looking = setInterval(() => {
    look().then(
      (found) => (found ? run() : undefined),
      // No server, or a full disk: it looks again soon, and a sweep would say more.
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
 * A look at the leases. Those that nobody ever used and forgotten claims go at once. `true` when a release is closed whose lease
 * was used and has lapsed: it went on without this host, as when that froze and was replaced. One that is open is asked about
 * again after its lease's lifetime only.
 */
export function lookForAbandoned(
  host: LeaseHost,
  open: (release: string) => Promise<boolean>,
): (now?: Date) => Promise<boolean> {
  const notBefore = new Map<string, number>();
  return async (now = new Date()) => {
    // Claims that another host took, and leases that nobody came for: there is nothing behind them.
    await sweepLeases(host, now);
    for (const { release, lifetime } of await lapsedLeases(host, now)) {
      if (now.getTime() < (notBefore.get(release) ?? 0)) continue;
      // Also when it is closed: what a sweep cannot remove must not be tried at every look.
      notBefore.set(release, now.getTime() + lifetime);
      if (!(await open(release))) return true;
    }
    return false;
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
