/** The `hostStatus` activity: what this host has and is doing, for `flightline hosts`. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { MAX_LISTED, type HostStatusInput } from '../../model/contract/host-status.ts';
import { runningActivities } from '../running.ts';
import { INSTALLATION_LABEL } from '../../model/oci/labels.ts';
import { hostSpace } from './claim.ts';
import { drainingOf } from './drain.ts';
import { spaceOf } from './space.ts';
import { workOf } from './host-work.ts';
import { readLeaseFiles } from './lease-files.ts';
import { containersWithLabels } from '../tools/podman/container/container.ts';
import { version } from '../tools/version.ts';
import type { HostBody, HostContext } from './work-directory.ts';

/** The share of the given time for podman, since the answer must travel back. */
const PATIENCE = 0.5;

async function describeStatus(host: HostContext, { within }: HostStatusInput): Promise<ActivityAnswer<'hostStatus'>> {
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
    architectures: [...host.architectures],
    version: version(),
    startedAt: host.startedAt,
    draining: await drainingOf(host.work),
    disk: disk ?? (await spaceOf([host.work.path])),
    containers: containers === undefined ? null : containers.slice(0, MAX_LISTED),
    ...workOf(host, files, runningActivities(), new Date()),
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

export default describeStatus satisfies HostBody<'hostStatus'>;
