/** Finds what is attached to a manifest: signatures, attestations, bills of materials. */
import { parseManifest } from '../../../../model/oci/manifest.ts';
import { referrersTag } from '../../../../model/oci/reference.ts';
import type { RepositoryClient } from '../repository.ts';

/** Tags that cosign keeps beside a digest. */
const SUFFIXES = ['sig', 'att', 'sbom'];

/** A manifest that speaks of another. */
interface Attached {
  digest: string;
  /** Its tag beside the digest that it speaks of; null for a referrer, which has none. */
  tag: string | null;
}

/**
 * What is attached to a digest, without what is attached to that. `list` is the digest of the tag that lists referrers
 * where a registry has no API for them (OCI distribution specification v1.1, "Referrers Tag Schema"); null without one.
 */
export async function attachedTo(
  repository: RepositoryClient,
  digest: string,
): Promise<{ attached: Attached[]; list: string | null }> {
  const name = referrersTag(digest);
  const attached: Attached[] = [];
  for (const suffix of SUFFIXES) {
    const tag = `${name}.${suffix}`;
    const found = await repository.headManifest(tag);
    if (found !== null) attached.push({ digest: found, tag });
  }
  const listed = await repository.getManifest(name);
  // The tag of a context or of logs contains its own digest.
  const list = listed && listed.digest !== digest ? listed : null;
  const referrers = new Set([
    ...(await repository.listReferrers(digest)),
    ...((list && parseManifest(list.bytes)?.manifests) ?? []).map((one) => one.digest),
  ]);
  for (const referrer of referrers) attached.push({ digest: referrer, tag: null });
  return { attached, list: list?.digest ?? null };
}
