/** The ground of a prune: a repository, the keys that sign there, and the releases that Temporal knows. */
import type { PruneRequest } from '../../model/release/prune.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { Server } from '../server.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import type { PruneGround } from './prune-repository.ts';
import { keysFor, knownReleases, scheduledRelease } from './survey.ts';
import type { KnownRelease } from './surveyed.ts';

/** A repository's releases that the server knows, and the one that its schedule would start. */
export async function releasesKnownTo(server: Server, repository: string): Promise<KnownRelease[]> {
  const [releases, scheduled] = await Promise.all([server.releasesOf(repository), server.scheduledFor(repository)]);
  return [...knownReleases(releases), ...scheduledRelease(scheduled)];
}

/** Runs `body` with the keys that sign in a repository, and access to all repositories that they list. */
export async function withGround<Result>(
  configuration: WorkerConfiguration,
  request: PruneRequest,
  body: (ground: Pick<PruneGround, 'access' | 'request' | 'keys'>) => Promise<Result>,
): Promise<Result> {
  const keys = await keysFor(configuration, request);
  // Disks may be in any repository that the keys list, so their logins are needed too.
  const scopes = keys.flatMap(({ repositories }) => repositories);
  const places = [request.repository, request.recordRepository, request.contextRepository, ...scopes];
  return withRegistryAccess(configuration, places, (access) => body({ access, request, keys }));
}
