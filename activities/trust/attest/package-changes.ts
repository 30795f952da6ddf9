/** Counts which packages an update adds, removes and changes, from what is attested of both images. */
import type { KeyObject } from 'node:crypto';
import { namedRepository } from '../../../model/attestation/provenance.ts';
import { packageDiff, packagesIn, type Package } from '../../../model/oci/packages.ts';
import type { PackageCounts } from '../../../model/oci/update-cost.ts';
import type { ReleaseRecord } from '../../../model/release/record.ts';
import type { RegistryAccess } from '../../tools/registry/access.ts';
import type { RepositoryClient } from '../../tools/registry/repository.ts';
import { imageFor } from '../../tools/stored-image.ts';
import { attestedByTag } from './read-attested.ts';
import type { ToAttest } from './statements.ts';

/** What the release lists of an image. */
type Listed = Pick<ToAttest, 'digest' | 'predicateType' | 'packages'>;

/** For each platform that this release lists, and whose image that devices have was listed by the same key. */
export async function packageChanges(
  access: RegistryAccess,
  { reference, digest, platforms, updates = [] }: ReleaseRecord['image'],
  listed: readonly Listed[],
  publicKey: KeyObject,
): Promise<(PackageCounts & { platform: string })[]> {
  const place = access.repository(namedRepository(reference));
  const found: (PackageCounts & { platform: string })[] = [];
  for (const { platform, digest: before } of updates) {
    const now = platforms?.find((one) => `linux/${one.platform}` === platform)?.digest ?? digest;
    const list = listed.find((one) => one.digest === now && one.packages);
    const stored = list && (await place.getManifest(before));
    const image = stored && (await imageFor(place, stored, platform.replace('linux/', '')));
    const old = image && (await packagesOf(place, image.digest, list.predicateType, publicKey));
    if (!list?.packages || !old) continue;
    const { added, removed, changed } = packageDiff(old, list.packages);
    found.push({ platform, added: added.length, removed: removed.length, changed: changed.length });
  }
  return found;
}

async function packagesOf(
  place: RepositoryClient,
  digest: string,
  predicateType: string,
  publicKey: KeyObject,
): Promise<Package[] | null> {
  const attested = await attestedByTag(place, { digest, predicateType, publicKey });
  const newest = attested.at(-1);
  return newest ? packagesIn(newest.statement.predicate) : null;
}
