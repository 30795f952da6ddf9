/** RELEASE on the command line: `repository:tag`, or the workflow id. */
import { releaseIdFrom } from '../../model/oci/reference.ts';
import { UserError } from '../terminal/errors.ts';

/**
 * The workflow id that is meant.
 *
 * @throws UserError `usage` (exit code 2).
 */
export function releaseIdOf(text: string): string {
  const id = releaseIdFrom(text);
  if (id !== undefined) return id;
  throw new UserError(
    'usage',
    `"${text}" names no release`,
    'write REPOSITORY:TAG, such as quay.io/acme/edge-camera:v1; `flightline list` shows what there is',
  );
}

/**
 * Repository and tag of a name such as `quay.io/acme/edge-camera:stable`.
 *
 * @throws UserError `usage` (exit code 2).
 */
export function repositoryAndTag(text: string): { repository: string; tag: string } {
  const reference = referenceOf(releaseIdOf(text));
  const colon = reference.lastIndexOf(':');
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}

/** `repository:tag` of a workflow id. */
export function referenceOf(release: string): string {
  return release.replace(/^release\//, '');
}
