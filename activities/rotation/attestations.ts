/** Attestations between two keys: what one has signed, and the other has not. */
import type { KeyObject } from 'node:crypto';
import { parseManifest } from '../../model/oci/manifest.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import type { RepositoryClient } from '../tools/registry/repository.ts';
import { attestationLayers, attestedByTag } from '../trust/attest/read-attested.ts';

/** A statement about a digest: that of an index, or of an entry. */
interface Attested {
  of: string;
  predicateType: string;
  statement: Uint8Array;
}

/** The statements about a digest and the entries of its index that the old key has signed, and the new one has not. */
export async function missingAttestations(
  { access, ...keys }: { access: RegistryAccess; old: KeyObject; next: KeyObject },
  { repository, digest }: { repository: string; digest: string },
): Promise<Attested[]> {
  const place = access.repository(repository);
  const stored = await place.getManifest(digest);
  const entries = (stored && parseManifest(stored.bytes)?.manifests) ?? [];
  const missing: Attested[] = [];
  for (const of of [digest, ...entries.map((entry) => entry.digest)])
    missing.push(...(await missingOf(place, of, keys)));
  return missing;
}

async function missingOf(
  place: RepositoryClient,
  digest: string,
  { old, next }: { old: KeyObject; next: KeyObject },
): Promise<Attested[]> {
  const layers = await attestationLayers(place, digest);
  const types = new Set(layers.flatMap(({ annotations }) => annotations?.['predicateType'] ?? []));
  const missing: Attested[] = [];
  for (const predicateType of types) {
    const [before, after] = await Promise.all(
      [old, next].map((publicKey) => attestedByTag(place, { digest, predicateType, publicKey })),
    );
    for (const { bytes } of before!) {
      const isThere = after!.some((one) => Buffer.compare(one.bytes, bytes) === 0);
      if (!isThere) missing.push({ of: digest, predicateType, statement: bytes });
    }
  }
  return missing;
}
