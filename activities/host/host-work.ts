/** What a build host is doing. Pure. */
import { MAX_LISTED, type HostStatus } from '../../model/contract/host-status.ts';
import type { RunningActivity } from '../running.ts';
import { hostQueue } from '../../model/contract/queue.ts';
import { isRemembered, isVoid, slotCounts } from './lease-decision.ts';
import type { LeaseFiles } from './lease-files.ts';
import type { HostContext } from './work-directory.ts';

/** Slots, leases, waiting claims and running stages, from the host's files and this process. Pure. */
export function workOf(
  host: Pick<HostContext, 'name' | 'configuration'>,
  { leases, requests }: Pick<LeaseFiles, 'leases' | 'requests'>,
  activities: readonly RunningActivity[],
  now: Date,
): Pick<HostStatus, 'slots' | 'leases' | 'waiting' | 'running'> {
  const { limits } = host.configuration;
  const queues = (['build', 'disk', 'transfer'] as const).map((work) => hostQueue(host.name, work));
  const running = activities.filter(({ taskQueue }) => queues.includes(taskQueue));
  const leased = (slot: 'build' | 'disk') => ({
    used: leases.filter((lease) => lease.slot === slot && slotCounts(lease, now)).length,
    limit: limits[slot],
  });
  return {
    slots: {
      build: leased('build'),
      disk: leased('disk'),
      transfer: {
        used: running.filter(({ taskQueue }) => taskQueue === hostQueue(host.name, 'transfer')).length,
        limit: limits.transfer,
      },
    },
    leases: leases
      .filter((lease) => !isVoid(lease, now))
      .slice(0, MAX_LISTED)
      .map((lease) => ({
        release: lease.release,
        branch: lease.branch,
        slot: slotCounts(lease, now) ? lease.slot : null,
      })),
    waiting: requests
      .filter((request) => isRemembered(request, now))
      .slice(0, MAX_LISTED)
      .map(({ release, branch, slot }) => ({ release, branch, slot })),
    running: running.slice(0, MAX_LISTED).map(({ name, workflow, since }) => ({ stage: name, workflow, since })),
  };
}
