/** Deletes in a registry (OCI distribution specification v1.1, "Content Management"). */
import type { RegistryAccess } from './access.ts';
import { ask } from './ask.ts';
import { expectSuccess, said } from './api.ts';

/** What came of a deletion. `unsupported`: the registry does not delete this kind of reference, or nothing at all. */
type Deleted = 'deleted' | 'absent' | 'unsupported';

/**
 * Deletes a tag, or the manifest of a digest with every tag that points at it.
 *
 * @throws FlightlineError `registry-login`, `registry-denied` or `registry`.
 */
export async function deleteManifest(access: RegistryAccess, repository: string, reference: string): Promise<Deleted> {
  const answer = await ask(access, repository, 'delete', `/manifests/${reference}`, { method: 'DELETE' });
  if (answer.status === 404) return 'absent';
  // "405: tag deletion or manifest deletion disabled"; distribution 2.8 calls a tag a wrong digest.
  if (answer.status === 405 || answer.status === 400 || answer.status === 501) return 'unsupported';
  expectSuccess(answer, repository, `the deletion of ${reference}${said(answer)}`);
  return 'deleted';
}

/** A tag that nobody has, and a digest that nothing has. */
const NO_TAG = 'flightline-no-such-tag-0f6d5b0c';
const NO_DIGEST = `sha256:${'0'.repeat(64)}`;

/** How a registry lets manifests be deleted, asked with names that do not exist: nothing is changed. */
export async function deletionOf(access: RegistryAccess, repository: string): Promise<'tag' | 'digest' | 'none'> {
  if ((await deleteManifest(access, repository, NO_TAG)) !== 'unsupported') return 'tag';
  return (await deleteManifest(access, repository, NO_DIGEST)) === 'unsupported' ? 'none' : 'digest';
}
