/** Attestations between two keys: what one has signed, and the other has not. */
import type { KeyObject } from 'node:crypto';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { attestationLayers, attestedByTag } from '../trust/attest/read-attested.ts';

/** A statement about a digest. */
interface Attested {
  predicateType: string;
  statement: Uint8Array;
}

/** The statements about a digest that the old key has signed, and the new one has not. */
export async function missingAttestations(
  { access, old, next }: { access: RegistryAccess; old: KeyObject; next: KeyObject },
  { repository, digest }: { repository: string; digest: string },
): Promise<Attested[]> {
  const place = access.repository(repository);
  const layers = await attestationLayers(place, digest);
  const types = new Set(layers.flatMap(({ annotations }) => annotations?.['predicateType'] ?? []));
  const missing: Attested[] = [];
  for (const predicateType of types) {
    const [before, after] = await Promise.all(
      [old, next].map((publicKey) => attestedByTag(place, { digest, predicateType, publicKey })),
    );
    for (const { bytes } of before!) {
      const isThere = after!.some((one) => Buffer.compare(one.bytes, bytes) === 0);
      if (!isThere) missing.push({ predicateType, statement: bytes });
    }
  }
  return missing;
}
