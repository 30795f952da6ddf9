/** Finds the build hosts that ask the Temporal server for work. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { ActivityContext, WorkerBody } from '../server.ts';
import type { HostsInput } from '../../model/contract/control.ts';
import { claimQueue, hostOfIdentity } from '../../model/contract/queue.ts';

/** The `hosts` activity of control workers. */
async function listHosts(
  _worker: object,
  { architecture }: HostsInput,
  context: ActivityContext,
): Promise<ActivityAnswer<'hosts'>> {
  const pollers = await context.server.pollersOf(claimQueue(architecture));
  const hosts = pollers.map(hostOfIdentity).filter((host) => host !== undefined);
  return { hosts: [...new Set(hosts)].sort() };
}

export default listHosts satisfies WorkerBody<'hosts'>;
