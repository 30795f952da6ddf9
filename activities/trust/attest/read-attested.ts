/** Reads the attestations beside a digest from both places, and tells whose they are. */
import type { KeyObject } from 'node:crypto';
import { BUNDLE_TYPE, ENVELOPE_TYPE } from '../../../model/attestation/attestation-artifacts.ts';
import { parseEnvelope, type Envelope } from '../../../model/attestation/envelope.ts';
import { isAbout, parseStatement, type Statement } from '../../../model/attestation/statement.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import type { AttachedLayer } from '../../../model/oci/attachment.ts';
import { parseManifest } from '../../../model/oci/manifest.ts';
import { attestationTag, referrersTag } from '../../../model/oci/reference.ts';
import type { ManifestReader } from '../../tools/registry/reading/manifest-reader.ts';
import type { RepositoryClient } from '../../tools/registry/repository.ts';
import { statementOf } from './signed-statement.ts';

/** Bytes of an attestation: cosign's own limit. The bill of materials of an image has tens of MB. */
const MAX_ATTESTATION = 128 * 1024 * 1024;

/** A statement that the key signed, and the envelope that it stands in. */
export interface Attested {
  envelope: Envelope;
  bytes: Uint8Array;
  statement: Statement;
}

/** The layers of the `.att` tag; none when there is no such tag. */
export async function attestationLayers(repository: ManifestReader, digest: string): Promise<AttachedLayer[]> {
  const stored = await repository.getManifest(attestationTag(digest));
  return (stored && parseManifest(stored.bytes)?.layers) ?? [];
}

/** The bytes of a layer. @throws FlightlineError `registry` when the registry has lost it */
export async function attestationBlob(repository: RepositoryClient, digest: string): Promise<Uint8Array> {
  const bytes = await repository.getBlob(digest, MAX_ATTESTATION);
  if (bytes) return bytes;
  throw new FlightlineError('registry', `${repository.repository} has lost the attestation ${digest}`);
}

/** The statements about the digest that the key signed, of a predicate type, in the `.att` tag. */
export async function attestedByTag(
  repository: ManifestReader,
  { digest, predicateType, publicKey }: { digest: string; predicateType: string; publicKey: KeyObject },
): Promise<Attested[]> {
  const found: Attested[] = [];
  for (const layer of await attestationLayers(repository, digest)) {
    if (layer.mediaType !== ENVELOPE_TYPE || layer.annotations?.['predicateType'] !== predicateType) continue;
    const bytes = await repository.getBlob(layer.digest, MAX_ATTESTATION);
    const attested = bytes && attestedIn(parsedJson(bytes), { digest, predicateType, publicKey });
    if (attested) found.push(attested);
  }
  return found;
}

/** What the `.att` tag says of the digest by a predicate type, whoever says so: the last; null when nothing is said. */
export async function claimedPredicate(
  repository: RepositoryClient,
  digest: string,
  predicateType: string,
): Promise<unknown> {
  for (const layer of (await attestationLayers(repository, digest)).toReversed()) {
    if (layer.mediaType !== ENVELOPE_TYPE || layer.annotations?.['predicateType'] !== predicateType) continue;
    const bytes = await repository.getBlob(layer.digest, MAX_ATTESTATION);
    const envelope = bytes && parseEnvelope(parsedJson(bytes));
    const statement = envelope && parseStatement(Buffer.from(envelope.payload, 'base64'));
    if (statement && isAbout(statement, digest)) return statement.predicate;
  }
  return null;
}

/** The statement of a sigstore bundle, by the digest of its manifest; undefined unless the key signed it. */
export async function attestedByBundle(
  repository: RepositoryClient,
  bundle: string,
  of: { digest: string; predicateType: string; publicKey: KeyObject },
): Promise<Attested | undefined> {
  const stored = await repository.getManifest(bundle);
  const [layer] = (stored && parseManifest(stored.bytes)?.layers) ?? [];
  if (layer?.mediaType !== BUNDLE_TYPE) return undefined;
  const bytes = await repository.getBlob(layer.digest, MAX_ATTESTATION);
  const value = bytes && (parsedJson(bytes) as { dsseEnvelope?: unknown } | undefined);
  return value ? attestedIn(value.dsseEnvelope, of) : undefined;
}

/** Whether a manifest is listed among those that have the digest as their subject: by the registry, or by the tag. */
export async function isReferrer(repository: RepositoryClient, digest: string, referrer: string): Promise<boolean> {
  if ((await repository.listReferrers(digest)).includes(referrer)) return true;
  const listed = await repository.getManifest(referrersTag(digest));
  return (listed && parseManifest(listed.bytes)?.manifests)?.some((one) => one.digest === referrer) ?? false;
}

function attestedIn(
  value: unknown,
  { digest, predicateType, publicKey }: { digest: string; predicateType: string; publicKey: KeyObject },
): Attested | undefined {
  const bytes = statementOf(value, publicKey);
  const statement = bytes && parseStatement(bytes);
  if (!statement || statement.predicateType !== predicateType || !isAbout(statement, digest)) return undefined;
  return { envelope: parseEnvelope(value)!, bytes, statement };
}

function parsedJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
