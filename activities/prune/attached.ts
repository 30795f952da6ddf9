/** Removes what is attached to a manifest: signatures, attestations, bills of materials. */
import { parseManifest } from '../../model/oci/manifest.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';

/** Tags that cosign keeps beside a digest. */
const SUFFIXES = ['sig', 'att', 'sbom'];

/** `true` for the tag of something that is attached to a digest. */
export function isAttached(tag: string): boolean {
  return /^sha256-[0-9a-f]{64}\.[a-z]+$/.test(tag);
}

/**
 * Removes what is attached to a digest, and what is attached to that: a signed attestation has its own signature. The
 * tag of a registry without the referrers API (OCI distribution specification v1.1, "Referrers Tag Schema") goes last.
 */
export async function removeAttached(access: RegistryAccess, repository: string, digest: string): Promise<void> {
  const name = digest.replace(':', '-');
  for (const suffix of SUFFIXES) {
    const found = await access.repository(repository).headManifest(`${name}.${suffix}`);
    if (found !== null) await removeWithAttached(access, repository, found);
  }
  for (const referrer of await access.repository(repository).listReferrers(digest)) {
    await removeWithAttached(access, repository, referrer);
  }
  const listed = await access.repository(repository).getManifest(name);
  // The tag of a context or of logs contains its own digest.
  if (!listed || listed.digest === digest) return;
  for (const { digest: referrer } of parseManifest(listed.bytes)?.manifests ?? []) {
    await removeWithAttached(access, repository, referrer);
  }
  await access.repository(repository).deleteManifest(listed.digest);
}

async function removeWithAttached(access: RegistryAccess, repository: string, digest: string): Promise<void> {
  await access.repository(repository).deleteManifest(digest);
  await removeAttached(access, repository, digest);
}
