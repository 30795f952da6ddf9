/** The `prune` activity of sign workers: one turn of removals. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { PruneInput } from '../../model/contract/sign.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { ActivityContext, WorkerBody } from '../server.ts';
import { releasesKnownTo, withGround } from './ground.ts';
import { pruneRepository } from './prune-repository.ts';
import type { PruneDecision } from './surveyed.ts';

function pruneTurn(
  { configuration }: { configuration: WorkerConfiguration },
  { request, release }: PruneInput,
  context: ActivityContext,
): Promise<ActivityAnswer<'prune'>> {
  return withGround(configuration, request, async (ground) => {
    const releases = () => releasesKnownTo(context.server, request.repository);
    const removed = ({ kind, tag }: PruneDecision) => {
      const place = kind === 'context' ? request.contextRepository : request.repository;
      const reference = kind === 'unfinished' ? tag : `${place}:${tag}`;
      context.log('INFO', `pruned ${reference}`, { audit: 'prune', kind, reference, release });
      context.report({ step: `removed ${tag}` });
    };
    return { left: await pruneRepository({ ...ground, releases, removed }) };
  });
}

export default pruneTurn satisfies WorkerBody<'prune'>;
