/** The `probe` activity: an answer means that the host and its worker are alive. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { HostContext } from './work-directory.ts';

export default function probe(host: HostContext): Promise<ActivityAnswer<'probe'>> {
  return Promise.resolve({ host: host.name, since: host.startedAt });
}
