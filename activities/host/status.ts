/** The `hostStatus` activity: what this host has and does, for `flightline hosts`. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { MAX_LISTED, type HostStatus, type HostStatusInput } from '../../model/contract/host-status.ts';
import { runningActivities, type RunningActivity } from '../running.ts';
import { INSTALLATION_LABEL } from '../../model/oci/labels.ts';
import { hostQueue } from '../../model/contract/queue.ts';
import { hostSpace } from './claim.ts';
import { drainingOf } from './drain.ts';
import { spaceOf } from './space.ts';
import { isRemembered, isVoid, slotCounts } from './lease-decision.ts';
import { readLeaseFiles, type LeaseFiles } from './leases.ts';
import { containersWithLabels } from '../tools/podman/container.ts';
import { version } from '../tools/version.ts';
import type { HostContext } from './work-directory.ts';

/** The share of the given time that podman may take: the answer must still travel back. */
const PATIENCE = 0.5;

export async function describeStatus(
  host: HostContext,
  { within }: HostStatusInput,
): Promise<ActivityAnswer<'hostStatus'>> {
  const patience = within * PATIENCE;
  const labels = { [INSTALLATION_LABEL]: host.work.installation };
  const [files, containers, disk] = await Promise.all([
    readLeaseFiles(host),
    soon(patience, containersWithLabels(labels)),
    soon(patience, hostSpace(host)()),
  ]);
  return {
    host: host.name,
    architecture: host.architecture,
    version: version(),
    startedAt: host.startedAt,
    draining: await drainingOf(host.work),
    disk: disk ?? (await spaceOf([host.work.path])),
    containers: containers === undefined ? null : containers.slice(0, MAX_LISTED),
    ...workOf(host, files, runningActivities(), new Date()),
  };
}

/** Slots, leases, waiting claims and running stages, from files and from this process. Pure. */
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

/** The result within this many milliseconds; undefined when it takes longer or fails. */
async function soon<Value>(milliseconds: number, work: Promise<Value>): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([work.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}
