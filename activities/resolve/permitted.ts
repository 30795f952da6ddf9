/** Refuses what the operator does not allow, before anything is looked up. */
import { movedNames } from '../../model/release/approval.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { repositoryIsWithin } from '../../model/oci/reference.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { requireWebhooks } from '../notify.ts';
import { requireGates } from '../gate/require-gates.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import { requireOwnRepositories } from '../trust/own-repositories.ts';
import { isOwnTag } from '../trust/own-tag.ts';

/** What the operator's configuration must allow. */
export function requirePermitted(configuration: WorkerConfiguration, request: ReleaseRequest): void {
  requireWebhooks(configuration, request.notify ?? []);
  requireGates(configuration, request.gates ?? [], 'the control worker');
  const { repository, contextRepository, logRepository } = request;
  const named = movedNames(request).map((moved) => moved.repository);
  requireOwnRepositories(configuration, repository, [...named, contextRepository, logRepository ?? repository]);
}

/**
 * Tags outside the release's own repository may be another project's, and so may those below it, where another project
 * may have its images. Whatever `tagPolicy` says, a release only replaces what an earlier one of its own name left.
 *
 * @throws FlightlineError `tag-exists`
 */
export async function requireOwnTags(configuration: WorkerConfiguration, request: ReleaseRequest): Promise<void> {
  const further = movedNames(request).filter(({ repository }) => repository !== request.repository);
  const repositories = further.map(({ repository }) => repository);
  await withRegistryAccess(configuration, repositories, async (access) => {
    for (const { repository, tags } of further) {
      for (const tag of tags) {
        if ((await access.repository(repository).headManifest(tag)) === null) continue;
        if (await isOwnTag(access, repository, tag, request.repository)) continue;
        const remedy = 'name repositories for disks and records that no other release uses';
        throw new FlightlineError('tag-exists', `${repository}:${tag} belongs to another release`, { remedy });
      }
    }
  });
}

/** Refuses tags of another project outside the release's own repository. @throws FlightlineError `tag-exists` */
export async function requireFree(configuration: WorkerConfiguration, request: ReleaseRequest): Promise<void> {
  const beside = movedNames(request).filter(({ repository }) => !repositoryIsWithin(repository, request.repository));
  const repositories = beside.map(({ repository }) => repository);
  await withRegistryAccess(configuration, repositories, async (access) => {
    for (const { repository, tags } of beside) {
      for (const tag of tags) {
        if ((await access.repository(repository).headManifest(tag)) === null) continue;
        const name = `${request.repository}:${request.tag}`;
        throw new FlightlineError('tag-exists', `${repository}:${tag} exists, and ${name} does not`);
      }
    }
  });
}
