/**
 * Copies an image or artifact to another repository of its registry without transferring blobs: mounts each blob (OCI
 * distribution specification v1.1, "Mounting a blob from another repository"), then stores the manifests.
 */
import { FlightlineError } from '../../../model/failure/failure.ts';
import { parseManifest } from '../../../model/oci/manifest.ts';
import type { RepositoryClient } from './repository.ts';
import { apiName, expectSuccess } from './api.ts';

/** It was there already. */
const NOTHING = { mounted: 0 };

/**
 * Copies a digest, and of an index its entries, by mounting.
 *
 * @returns how many blobs were mounted; null when the registry does not mount, and then only mounted blobs are left
 * @throws FlightlineError `disk-vanished` when the source is incomplete; a registry's failure
 */
export async function mountManifest(
  from: RepositoryClient,
  to: RepositoryClient,
  digest: string,
): Promise<{ mounted: number } | null> {
  if ((await to.missingPart(digest)) === null) return NOTHING;
  const stored = await from.getManifest(digest);
  const manifest = stored && parseManifest(stored.bytes);
  if (!stored || !manifest)
    throw new FlightlineError('disk-vanished', `${from.repository}@${digest} is no longer in the registry`);
  let mounted = 0;
  for (const entry of manifest.manifests ?? []) {
    const inner = await mountManifest(from, to, entry.digest);
    if (inner === null) return null;
    mounted += inner.mounted;
  }
  const blobs = new Set([manifest.config, ...(manifest.layers ?? [])].flatMap((blob) => (blob ? [blob.digest] : [])));
  for (const blob of blobs) {
    const answer = await mountBlob(from, to, blob);
    if (answer === 'not-mounted') return null;
    if (answer === 'mounted') mounted += 1;
  }
  await to.putManifest(digest, stored);
  return { mounted };
}

/** Mounts a blob that `from` has, another repository of the same registry. */
export async function mountBlob(
  from: RepositoryClient,
  to: RepositoryClient,
  digest: string,
): Promise<'there' | 'mounted' | 'not-mounted'> {
  if (await to.hasBlob(digest)) return 'there';
  const query = new URLSearchParams({ mount: digest, from: apiName(from.repository) });
  const answer = await to.ask('pull,push', `/blobs/uploads/?${query.toString()}`, {
    method: 'POST',
    headers: { 'content-length': '0' },
    alsoPull: from.repository,
  });
  expectSuccess(answer, to.repository, 'a mount');
  if (answer.status === 201) return 'mounted';
  // 202: it began an upload instead.
  await to.dropUpload(answer);
  return 'not-mounted';
}
