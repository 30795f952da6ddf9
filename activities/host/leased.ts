/** Runs the part of an activity that uses a host's slot, under its lease. */
import { FlightlineError } from '../../model/failure/failure.ts';
import { FAILURES } from '../../model/failure/failures.ts';
import { knownFailure } from '../failure.ts';
import type { Timing } from '../../model/base/timing.ts';
import { confirmLease, keepLease, returnSlot } from './leases.ts';
import type { LeaseHost } from './lease-files.ts';
import type { Task } from '../tools/process/task.ts';

/**
 * Confirms the lease of a branch while `body` runs, and returns its slot at the end. It keeps the slot when the
 * activity will run again: after a detach, and after a failure that the server retries. Otherwise the lease lapses by
 * itself. `keepSlot` keeps it after a success too, for the next step on this host.
 *
 * @throws FlightlineError `no-slot` when the branch has no lease here, since it was cleaned up or lapsed unused
 */
export async function withLease<Result>(
  host: LeaseHost,
  input: { release: string; branch: string; timing: Pick<Timing, 'leaseLifetime'>; keepSlot?: boolean | undefined },
  context: Pick<Task, 'cancelReason'>,
  body: () => Promise<Result>,
): Promise<Result> {
  const { release, branch, timing } = input;
  if (!(await confirmLease(host, release, branch))) {
    throw new FlightlineError(
      'no-slot',
      `${host.name} no longer has a lease for ${branch}: claim a host again before anything runs there`,
    );
  }
  const stop = keepLease(host, release, branch, timing);
  let comesBack = false;
  try {
    const result = await body();
    comesBack = input.keepSlot === true;
    return result;
  } catch (error) {
    const reason = context.cancelReason();
    comesBack = reason === undefined ? isTriedAgain(error, branch) : reason === 'detach';
    throw error;
  } finally {
    await stop();
    if (!comesBack) await returnSlot(host, release, branch);
  }
}

function isTriedAgain(error: unknown, branch: string): boolean {
  return FAILURES[knownFailure(error, branch).kind].disposition === 'retry';
}
