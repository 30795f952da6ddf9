/** Finds the leases that releases left behind. */
import { lapsedLeases, sweepLeases } from '../host/leases.ts';
import type { LeaseHost } from '../host/lease-files.ts';

/**
 * Looks at the leases, and removes unused void ones and forgotten claims at once. `true` when a release has ended whose
 * used lease had lapsed: it went on without this host, as when that froze and was replaced. An open release is asked
 * about again only after its lease's lifetime.
 */
export function lookForAbandoned(
  host: LeaseHost,
  open: (release: string) => Promise<boolean>,
): (now?: Date) => Promise<boolean> {
  const notBefore = new Map<string, number>();
  return async (now = new Date()) => {
    // Claims that another host granted, and leases that nobody used: they have no files.
    await sweepLeases(host, now);
    for (const { release, lifetime } of await lapsedLeases(host, now)) {
      if (now.getTime() < (notBefore.get(release) ?? 0)) continue;
      // Also when it is closed: what a sweep cannot remove must not be retried at every look.
      notBefore.set(release, now.getTime() + lifetime);
      if (!(await open(release))) return true;
    }
    return false;
  };
}
