/** The build hosts that the Temporal server knows: those that ask it for work. */
import { HostsInput, type ControlActivities } from '../../model/contract/contract.ts';
import { claimQueue, hostOfIdentity } from '../../model/contract/queue.ts';
import { stage } from '../frame.ts';

/** Makes the `hosts` activity of a control worker. */
export function makeHosts(): ControlActivities['hosts'] {
  return stage('hosts', HostsInput, async ({ architecture }, context) => {
    const pollers = await context.pollersOf(claimQueue(architecture));
    const hosts = pollers.map(hostOfIdentity).filter((host) => host !== undefined);
    return { hosts: [...new Set(hosts)].sort() };
  });
}
