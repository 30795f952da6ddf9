import { FlightlineError } from '../../model/failure/failure.ts';
import { repositoryIsWithin } from '../../model/oci/reference.ts';
import { isAllowed, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';

/**
 * A spec may name any repository, and a key may sign for several projects. So a release writes only below its own
 * repository, or where the operator allows it.
 *
 * @throws FlightlineError `repository-not-allowed`
 */
export function requireOwnRepositories(
  { furtherRepositories }: Pick<WorkerConfiguration, 'furtherRepositories'>,
  owner: string,
  repositories: readonly string[],
): void {
  const further = Object.entries(furtherRepositories).flatMap(([scope, listed]) =>
    repositoryIsWithin(owner, scope) ? listed : [],
  );
  const foreign = [...new Set(repositories.filter((one) => !isAllowed([owner, ...further], one)))];
  if (foreign.length === 0) return;
  throw new FlightlineError(
    'repository-not-allowed',
    `${foreign.join(', ')} ${foreign.length === 1 ? 'is' : 'are'} not below ${owner}`,
  );
}
