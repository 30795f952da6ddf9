/** The `probe` activity: an answer means that the host and its worker are alive. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { HostBody, HostContext } from './work-directory.ts';

function probe(host: HostContext): Promise<ActivityAnswer<'probe'>> {
  return Promise.resolve({ host: host.name, since: host.startedAt });
}

export default probe satisfies HostBody<'probe'>;
