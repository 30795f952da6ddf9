/** The `planPrune` activity of sign workers: a page of what would be removed and kept. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { PrunePageInput } from '../../model/contract/sign.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { ActivityContext, WorkerBody } from '../server.ts';
import { releasesKnownTo, withGround } from './ground.ts';
import { groupDecisions, pageOf } from './page.ts';
import { planPrune } from './prune-repository.ts';

function prunePage(
  { configuration }: { configuration: WorkerConfiguration },
  { request, from }: PrunePageInput,
  { server }: ActivityContext,
): Promise<ActivityAnswer<'planPrune'>> {
  return withGround(configuration, request, async (ground) => {
    const releases = () => releasesKnownTo(server, request.repository);
    return pageOf(await planPrune({ ...ground, releases }), from, groupDecisions);
  });
}

export default prunePage satisfies WorkerBody<'planPrune'>;
