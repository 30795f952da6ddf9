/** Removes what is attached to a manifest: signatures, attestations, bills of materials. */
import type { RegistryAccess } from '../tools/registry/access.ts';
import { attachedTo } from '../tools/registry/reading/attached-to.ts';

/** `true` for the tag of something that is attached to a digest. */
export function isAttached(tag: string): boolean {
  return /^sha256-[0-9a-f]{64}\.[a-z]+$/.test(tag);
}

/**
 * Removes what is attached to a digest, and what is attached to that: a signed attestation has its own signature. The
 * tag that lists referrers goes last.
 */
export async function removeAttached(access: RegistryAccess, repository: string, digest: string): Promise<void> {
  const client = access.repository(repository);
  const { attached, list } = await attachedTo(client, digest);
  for (const one of attached) {
    await client.deleteManifest(one.digest);
    await removeAttached(access, repository, one.digest);
  }
  if (list !== null) await client.deleteManifest(list);
}
