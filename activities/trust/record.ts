/** Reads records of releases from a registry. Only a record that one of our keys signed counts. */
import type { KeyObject } from 'node:crypto';
import { parseManifest } from '../../model/oci/manifest.ts';
import { RECORD_MEDIA_TYPE } from '../../model/release/record-artifact.ts';
import { ReleaseRecord } from '../../model/release/record.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import type { RepositoryReader } from '../tools/registry/reading/manifest-reader.ts';
import { readPublicKey } from './keys.ts';
import { signedNames } from './signatures.ts';

/** Bytes of a record in a registry. Releases write some 10 kB. */
const MAX_RECORD = 1024 * 1024;

/**
 * The record that a tag names, if the key signed it for that name. Null when there is none, when the key did not sign
 * it, when it is damaged, or without a public key: what is not verified is not trusted.
 *
 * @param publicKey path of the PEM file, or null
 * @throws FlightlineError a registry's failure
 */
export async function readRecord(
  access: RegistryAccess,
  repository: string,
  tag: string,
  publicKey: string | null,
): Promise<ReleaseRecord | null> {
  return (await findRecord(access, { repository, tag }, publicKey))?.record ?? null;
}

/**
 * The same with the record's own digest. `at` reads there instead of the tag, for a record that a shared tag named
 * before. It must still be signed for the tag.
 */
export async function findRecord(
  access: RegistryAccess,
  { repository, tag, at = tag }: { repository: string; tag: string; at?: string },
  publicKey: string | null,
): Promise<{ digest: string; record: ReleaseRecord } | null> {
  const key = publicKey === null ? null : await readPublicKey(publicKey).catch(() => null);
  if (!key) return null;
  return readVerifiedRecord(access, { repository, tag, at }, key);
}

/** As {@link findRecord}, with the key itself. */
export async function readVerifiedRecord(
  access: RepositoryReader,
  { repository, tag, at = tag }: { repository: string; tag: string; at?: string },
  key: KeyObject,
): Promise<{ digest: string; record: ReleaseRecord } | null> {
  const stored = await access.repository(repository).getManifest(at);
  const manifest = stored && parseManifest(stored.bytes);
  const layer = manifest?.layers?.[0];
  if (!stored || manifest?.artifactType !== RECORD_MEDIA_TYPE || manifest.layers?.length !== 1 || !layer) return null;
  const names = await signedNames(access, repository, stored.digest, key);
  if (!names.includes(`${repository}:${tag}`) || layer.size > MAX_RECORD) return null;
  const bytes = await access.repository(repository).getBlob(layer.digest, MAX_RECORD);
  const record = bytes && parseRecord(bytes);
  return record && { digest: stored.digest, record };
}

/**
 * The record that a tag names, whoever made it; null when it names none. It is not verified: use it only to refuse to
 * replace the record, or to show what it says.
 */
export async function claimedRecord(
  access: RegistryAccess,
  repository: string,
  tag: string,
): Promise<ReleaseRecord | null> {
  const stored = await access.repository(repository).getManifest(tag);
  const manifest = stored && parseManifest(stored.bytes);
  const layer = manifest?.layers?.[0];
  if (manifest?.artifactType !== RECORD_MEDIA_TYPE || !layer || layer.size > MAX_RECORD) return null;
  const bytes = await access.repository(repository).getBlob(layer.digest, MAX_RECORD);
  return bytes && parseRecord(bytes);
}

function parseRecord(bytes: Uint8Array): ReleaseRecord | null {
  try {
    return ReleaseRecord.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null;
  }
}
