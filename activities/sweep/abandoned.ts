/** Finds the leases that releases left behind. */
import { lapsedLeases, sweepLeases } from '../host/leases.ts';
import type { LeaseHost } from '../host/lease-files.ts';

/**
 * Removes unused void leases and forgotten claims. Returns `true` when a release with a lapsed, used lease has ended:
 * it went on without this host, for example because the host froze. It asks about an open release again only after the
 * lease's lifetime.
 */
export function lookForAbandoned(
  host: LeaseHost,
  open: (release: string) => Promise<boolean>,
): (now?: Date) => Promise<boolean> {
  const notBefore = new Map<string, number>();
  return async (now = new Date()) => {
    // Claims that another host granted and unused leases have no files.
    await sweepLeases(host, now);
    for (const { release, lifetime } of await lapsedLeases(host, now)) {
      if (now.getTime() < (notBefore.get(release) ?? 0)) continue;
      // Also when it is closed: what a sweep cannot remove must not be retried each time.
      notBefore.set(release, now.getTime() + lifetime);
      if (!(await open(release))) return true;
    }
    return false;
  };
}
