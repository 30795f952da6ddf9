/**
 * sigstore signatures beside an image (containers/image `docs/signature-protocols.md`, cosign's SIGNATURE_SPEC): reads
 * them from the `.sig` tag, checks them, and has missing ones written. There is exactly one signature per digest, key
 * and name.
 */
import { verify, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { FlightlineError } from '../../model/failure/failure.ts';
import { indexEntries, parseManifest } from '../../model/oci/manifest.ts';
import { signatureTag } from '../../model/oci/reference.ts';
import { hashOf, type OpenedKey } from './keys.ts';
import { signerOf } from './signing/signer.ts';
import { writeSignatures } from './signing/write-signatures.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import type { RepositoryReader } from '../tools/registry/reading/manifest-reader.ts';
import { together } from '../tools/together.ts';

const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
/** Longest payload (bytes). Flightline's have about 300; a longer one is not ours. */
const MAX_PAYLOAD = 16 * 1024;
/** How often an overwritten signature is written again before it counts as a failure. */
const SIGN_ROUNDS = 5;

const Payload = z.object({
  critical: z.strictObject({
    type: z.literal('cosign container image signature'),
    identity: z.strictObject({ 'docker-reference': z.string() }),
    image: z.strictObject({ 'docker-manifest-digest': z.string() }),
  }),
});

/**
 * The name that a payload signs for; `undefined` unless the key made the signature and the payload has the digest.
 * Pure.
 *
 * @param signature base64 of the ASN.1 signature
 */
export function signedName(
  payload: Uint8Array,
  signature: string,
  publicKey: KeyObject,
  digest: string,
): string | undefined {
  try {
    if (!verify(hashOf(publicKey), payload, publicKey, Buffer.from(signature, 'base64'))) return undefined;
    const { critical } = Payload.parse(JSON.parse(new TextDecoder().decode(payload)));
    return critical.image['docker-manifest-digest'] === digest ? critical.identity['docker-reference'] : undefined;
  } catch {
    // It is not a signature by this key.
    return undefined;
  }
}

/** The names (`repository:tag`) for which the key signed a digest, one per signature. */
export async function signedNames(
  access: RepositoryReader,
  repository: string,
  digest: string,
  publicKey: KeyObject,
): Promise<string[]> {
  const stored = await access.repository(repository).getManifest(signatureTag(digest));
  const layers = (stored && parseManifest(stored.bytes)?.layers) ?? [];
  const names: string[] = [];
  for (const layer of layers) {
    const signature = layer.annotations?.[SIGNATURE_ANNOTATION];
    if (layer.mediaType !== PAYLOAD_TYPE || signature === undefined || layer.size > MAX_PAYLOAD) continue;
    const payload = await access.repository(repository).getBlob(layer.digest, MAX_PAYLOAD);
    const name = payload && signedName(payload, signature, publicKey, digest);
    if (name) names.push(name);
  }
  return names;
}

/** A digest, and the tags that it is signed for. */
interface Subject {
  repository: string;
  digest: string;
  tags: readonly string[];
}

/** A digest that needs signatures, for these tags. */
interface Signed {
  digest: string;
  tags: readonly string[];
}

/**
 * The digests that need a signature so that a device accepts a subject, entries of an index first: a pull by the
 * index's tag picks an entry and verifies that, and each entry has its own tags. Null when the registry lacks the
 * digest.
 */
async function digestsToSign(
  access: RepositoryReader,
  { repository, digest, tags }: Subject,
): Promise<Signed[] | null> {
  const stored = await access.repository(repository).getManifest(digest);
  if (!stored) return null;
  const manifest = parseManifest(stored.bytes);
  const entries = manifest ? indexEntries(manifest, tags) : [];
  return [...entries.map((entry) => ({ digest: entry.digest, tags: [...tags, ...entry.tags] })), { digest, tags }];
}

/** The tags of each digest that the key has not signed it for. A digest that has all its signatures is left out. */
async function missingSignatures(
  access: RepositoryReader,
  repository: string,
  publicKey: KeyObject,
  targets: readonly Signed[],
): Promise<Signed[]> {
  const missing = await together(targets, async ({ digest, tags }) => {
    const names = await signedNames(access, repository, digest, publicKey);
    return { digest, tags: tags.filter((tag) => !names.includes(`${repository}:${tag}`)) };
  });
  return missing.filter(({ tags }) => tags.length > 0);
}

/** The tags for which a subject, or an entry of its index, lacks a signature by the key. */
export async function unsignedTags(
  access: RepositoryReader,
  publicKey: KeyObject,
  subject: Subject,
): Promise<string[]> {
  const { repository, digest, tags } = subject;
  const targets = (await digestsToSign(access, subject)) ?? [{ digest, tags }];
  const missing = await missingSignatures(access, repository, publicKey, targets);
  return [...new Set(missing.flatMap((one) => one.tags))];
}

/** A written signature. */
export interface SignatureWritten {
  repository: string;
  digest: string;
  tag: string;
}

/**
 * Signs a digest for each tag that the key has not signed yet, and reads each signature back. All signers read, change
 * and write the same `.sig`, so that one may overwrite another's signature. A lost one is written again.
 *
 * @param options.written called for each signature, before it is read back
 * @returns the tags that this call signed
 * @throws FlightlineError `disk-vanished` when the digest is gone; `key-passphrase`, `key-missing`; `registry-login`, …
 */
export async function signDigest(
  access: RegistryAccess,
  key: OpenedKey,
  subject: Subject,
  options: { timeout: number; written?: (signature: SignatureWritten) => void | Promise<void> },
): Promise<string[]> {
  const { repository, digest, tags } = subject;
  const targets = await digestsToSign(access, subject);
  if (!targets) {
    throw new FlightlineError('disk-vanished', `${repository}@${digest} is no longer in the registry`);
  }
  const sign = signerOf(key);
  const signed = new Set<string>();
  for (let round = 0; ; round++) {
    const missing = await missingSignatures(access, repository, key.publicKey, targets);
    if (missing.length === 0) return tags.filter((tag) => signed.has(tag));
    if (round === SIGN_ROUNDS) {
      const names = missing.flatMap((one) => one.tags.map((tag) => `${repository}:${tag}@${one.digest}`)).join(', ');
      throw new FlightlineError(
        'registry',
        `the signatures for ${names} were overwritten: something else writes signatures there too`,
      );
    }
    for (const one of missing) {
      await writeSignatures(access, sign, { repository, ...one }, options.timeout);
      for (const tag of one.tags) {
        await options.written?.({ repository, digest: one.digest, tag });
        signed.add(tag);
      }
    }
  }
}
