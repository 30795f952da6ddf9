/** The activities of a prune: a page of what would be removed, and a turn of removals. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { PruneInput, PrunePageInput } from '../../model/contract/sign.ts';
import type { PruneRequest } from '../../model/release/prune.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { ActivityContext, Server } from '../server.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import type { KnownRelease, PruneDecision } from './surveyed.ts';
import { pageOf } from './page.ts';
import { planPrune, pruneRepository, type PruneGround } from './prune-repository.ts';
import { keysFor, knownReleases, scheduledRelease } from './survey.ts';

type Worker = { configuration: WorkerConfiguration };

/** The `planPrune` activity: a page of what would be removed and kept. */
export function prunePage(
  { configuration }: Worker,
  { request, from }: PrunePageInput,
  { server }: ActivityContext,
): Promise<ActivityAnswer<'planPrune'>> {
  return withGround(configuration, request, async (ground) => {
    const releases = () => releasesKnownTo(server, request.repository);
    return pageOf(await planPrune({ ...ground, releases }), from);
  });
}

/** The `prune` activity: one turn of removals. */
export function pruneTurn(
  { configuration }: Worker,
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

async function releasesKnownTo(server: Server, repository: string): Promise<KnownRelease[]> {
  const [releases, scheduled] = await Promise.all([server.releasesOf(repository), server.scheduledFor(repository)]);
  return [...knownReleases(releases), ...scheduledRelease(scheduled)];
}

async function withGround<Result>(
  configuration: WorkerConfiguration,
  request: PruneRequest,
  body: (ground: Pick<PruneGround, 'access' | 'request' | 'keys'>) => Promise<Result>,
): Promise<Result> {
  const keys = await keysFor(configuration, request);
  // Disks may lie in any repository that the keys list, so their logins are needed too.
  const scopes = keys.flatMap(({ repositories }) => repositories);
  const places = [request.repository, request.recordRepository, request.contextRepository, ...scopes];
  return withRegistryAccess(configuration, places, (access) => body({ access, request, keys }));
}
