/**
 * Puts attestations beside what they are about, where cosign 2 looks (the tag `sha256-<hex>.att`) and where cosign 3,
 * oras and the registry itself do (a sigstore bundle with a subject). Reads each back and verifies it.
 */
import type { KeyObject } from 'node:crypto';
import { attestationsImage, bundleArtifact, envelopeLayer } from '../../../model/attestation/attestation-artifacts.ts';
import type { Envelope } from '../../../model/attestation/envelope.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { mergedReferrers } from '../../../model/oci/attachment.ts';
import { attestationTag, referrersTag } from '../../../model/oci/reference.ts';
import type { RegistryAccess } from '../../tools/registry/access.ts';
import type { StoredManifest } from '../../tools/registry/repository.ts';
import { sendArtifact } from '../../tools/registry/send-artifact.ts';
import { together } from '../../tools/together.ts';
import { attestationBlob, attestationLayers, attestedByBundle, attestedByTag, isReferrer } from './read-attested.ts';

/** How often an overwritten tag is written again: whoever attests reads, changes and writes the same one. */
const ROUNDS = 5;

/** What an attestation is about. */
export interface AttestedSubject {
  repository: string;
  digest: string;
}

/** A statement to attach, and who signs it. */
export interface Attaching {
  statement: Uint8Array;
  predicateType: string;
  publicKey: KeyObject;
  /** Called unless the key has signed the very statement already. */
  sign: (statement: Uint8Array) => Promise<Envelope>;
  /** Milliseconds for a transfer. */
  timeout: number;
}

/**
 * Attaches a statement to a digest unless it is attached already.
 *
 * @returns the digest of the bundle's manifest; null when the registry has lost the digest
 * @throws FlightlineError `signature-rejected` when what is read back does not verify; a registry's failure
 */
export async function attach(
  access: RegistryAccess,
  subject: AttestedSubject,
  attaching: Attaching,
): Promise<string | null> {
  const stored = await access.repository(subject.repository).getManifest(subject.digest);
  if (!stored) return null;
  const envelope = await attachByTag(access, subject, attaching);
  const bundle = await attachBundle(access, stored, subject, { ...attaching, envelope });
  await requireAttached(access, subject, bundle, attaching);
  return bundle;
}

/** @throws FlightlineError `signature-rejected` unless both forms are there, and say what was signed */
async function requireAttached(
  access: RegistryAccess,
  { repository, digest }: AttestedSubject,
  bundle: string,
  { statement, predicateType, publicKey }: Attaching,
): Promise<void> {
  const place = access.repository(repository);
  const of = { digest, predicateType, publicKey };
  const found = [await attestedByBundle(place, bundle, of), ...(await attestedByTag(place, of))];
  const same = found.map((one) => one !== undefined && Buffer.compare(one.bytes, statement) === 0);
  if (same[0] && same.slice(1).includes(true)) return;
  throw new FlightlineError(
    'signature-rejected',
    `the attestation ${predicateType} of ${repository}@${digest} does not verify as it is in the registry`,
  );
}

/** Adds the envelope to the `.att` tag. @returns the envelope that is there */
async function attachByTag(
  access: RegistryAccess,
  { repository, digest }: AttestedSubject,
  { statement, predicateType, publicKey, sign, timeout }: Attaching,
): Promise<Envelope> {
  const place = access.repository(repository);
  let signed: Envelope | undefined;
  for (let round = 0; ; round++) {
    const attested = await attestedByTag(place, { digest, predicateType, publicKey });
    const same = attested.find(({ bytes }) => Buffer.compare(bytes, statement) === 0);
    if (same) return same.envelope;
    if (round === ROUNDS) throw overwritten(`${repository}:${attestationTag(digest)}`);
    signed ??= await sign(statement);
    const { layer, bytes } = envelopeLayer(signed, predicateType);
    const layers = await attestationLayers(place, digest);
    const blobs = await together(layers, async (one) => ({
      digest: one.digest,
      bytes: await attestationBlob(place, one.digest),
    }));
    const layout = attestationsImage([...layers, layer]);
    const to = { repository, tag: attestationTag(digest) };
    await sendArtifact(access, to, { layout, blobs: [...blobs, { digest: layer.digest, bytes }] }, { timeout });
  }
}

/** Sends the bundle, and lists it as a referrer where the registry does not do so itself. @returns its digest */
async function attachBundle(
  access: RegistryAccess,
  stored: StoredManifest,
  { repository, digest }: AttestedSubject,
  { envelope, predicateType, publicKey, timeout }: Attaching & { envelope: Envelope },
): Promise<string> {
  const place = access.repository(repository);
  const subject = { mediaType: stored.mediaType, digest, size: stored.bytes.length };
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const { layout, blob } = bundleArtifact(envelope, { predicateType, publicKey: der, subject });
  const bundle = layout.root.digest;
  if ((await place.headManifest(bundle)) === null) {
    const blobs = [{ digest: blob.descriptor.digest, bytes: blob.bytes }];
    await sendArtifact(access, { repository }, { layout, blobs }, { timeout });
  }
  for (let round = 0; !(await isReferrer(place, digest, bundle)); round++) {
    const tag = referrersTag(digest);
    if (round === ROUNDS) throw overwritten(`${repository}:${tag}`);
    const listed = await place.getManifest(tag);
    const index = mergedReferrers(listed && listed.bytes, layout.root, layout.documents.at(-1)!.bytes);
    if (!index) continue;
    const { mediaType } = index.descriptor;
    await place.putManifest(tag, { mediaType, bytes: Buffer.from(index.bytes) });
  }
  return bundle;
}

function overwritten(name: string): FlightlineError {
  return new FlightlineError('registry', `${name} was overwritten again and again: something else writes there too`);
}
