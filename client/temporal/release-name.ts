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

/** A run id as Temporal gives it, or how it begins. */
const RUN = /^(.+)@([0-9a-f]{4,8}(?:-[0-9a-f-]{0,27})?)$/;

/**
 * The workflow id and, of `REPOSITORY:TAG@RUN`, how the run id begins.
 *
 * @throws UserError `usage` (exit code 2).
 */
export function namedRun(text: string): { id: string; run: string | undefined } {
  const [, name, run] = RUN.exec(text) ?? [];
  return { id: releaseIdOf(name ?? text), run };
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

/** Digits of a run id that tell it from others: it begins with the time, in milliseconds. */
export function shortRun(runId: string): string {
  return runId.slice(0, 13);
}

/** `repository:tag` of a workflow id. */
export function referenceOf(release: string): string {
  return release.replace(/^release\//, '');
}
