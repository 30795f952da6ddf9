/**
 * sigstore signatures beside an image (containers/image `docs/signature-protocols.md`, cosign's SIGNATURE_SPEC): read from the
 * `.sig` tag and checked here, written by skopeo. Exactly one signature per digest, key and name.
 */
import { verify, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { FlightlineError } from '../../model/release/failure.ts';
import { parseManifest } from '../../model/oci/manifest.ts';
import { signatureTag } from '../../model/oci/reference.ts';
import type { OpenedKey } from './keys.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { getBlob, getManifest } from '../tools/registry/registry.ts';
import { copyImage } from '../tools/registry/skopeo.ts';

const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
/** Bytes; a payload is about 300. A longer one is not ours. */
const MAX_PAYLOAD = 16 * 1024;
/** How often a signature that somebody else overwrote is written again before that is a failure. */
const SIGN_ROUNDS = 5;

const Payload = z.object({
  critical: z.strictObject({
    type: z.literal('cosign container image signature'),
    identity: z.strictObject({ 'docker-reference': z.string() }),
    image: z.strictObject({ 'docker-manifest-digest': z.string() }),
  }),
});

/**
 * The name that a payload signs for, if the signature over it is by the key and it is about the digest; else `undefined`. Pure.
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
    // Ed25519 hashes by itself.
    const hash = publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    if (!verify(hash, payload, publicKey, Buffer.from(signature, 'base64'))) return undefined;
    const { critical } = Payload.parse(JSON.parse(new TextDecoder().decode(payload)));
    return critical.image['docker-manifest-digest'] === digest ? critical.identity['docker-reference'] : undefined;
  } catch {
    // Whatever else lies there, it is no signature by this key.
    return undefined;
  }
}

/** The names (`repository:tag`) for which a digest is signed by the key, a name for each signature. */
export async function signedNames(
  access: RegistryAccess,
  repository: string,
  digest: string,
  publicKey: KeyObject,
): Promise<string[]> {
  const stored = await getManifest(access, repository, signatureTag(digest));
  const layers = (stored && parseManifest(stored.bytes)?.layers) ?? [];
  const names: string[] = [];
  for (const layer of layers) {
    const signature = layer.annotations?.[SIGNATURE_ANNOTATION];
    if (layer.mediaType !== PAYLOAD_TYPE || signature === undefined || layer.size > MAX_PAYLOAD) continue;
    const payload = await getBlob(access, repository, layer.digest, MAX_PAYLOAD);
    const name = payload && signedName(payload, signature, publicKey, digest);
    if (name) names.push(name);
  }
  return names;
}

/**
 * The digests that need a signature so that a device accepts one of them: of an index its entries too, since a pull picks an entry
 * and verifies that. Entries come first. Null when the registry has no such digest.
 */
export async function digestsToSign(
  access: RegistryAccess,
  repository: string,
  digest: string,
): Promise<{ digest: string; isIndex: boolean }[] | null> {
  const stored = await getManifest(access, repository, digest);
  if (!stored) return null;
  const entries = parseManifest(stored.bytes)?.manifests;
  return [
    ...(entries ?? []).map((entry) => ({ digest: entry.digest, isIndex: false })),
    { digest, isIndex: entries != null },
  ];
}

/** The tags for which a digest, or an entry of its index, has no signature by the key. */
export async function unsignedTags(
  access: RegistryAccess,
  publicKey: KeyObject,
  subject: { repository: string; digest: string; tags: readonly string[] },
): Promise<string[]> {
  const { repository, digest } = subject;
  const targets = (await digestsToSign(access, repository, digest)) ?? [{ digest, isIndex: false }];
  const missing = new Set<string>();
  for (const target of targets) {
    const names = await signedNames(access, repository, target.digest, publicKey);
    for (const tag of subject.tags) if (!names.includes(`${repository}:${tag}`)) missing.add(tag);
  }
  return subject.tags.filter((tag) => missing.has(tag));
}

/** One signature that was written. */
export interface SignatureWritten {
  repository: string;
  digest: string;
  tag: string;
}

/**
 * Signs a digest for each tag that has no signature by the key yet, and reads each back. A `.sig` is read, changed and written
 * back by whoever signs, so that one may be lost to somebody else's: it is written again.
 *
 * @param options.written called for each signature, before it is read back
 * @returns the tags that were signed now
 * @throws FlightlineError `disk-vanished` when the digest is gone; `key-passphrase`, `key-missing`; `registry-login`, …
 */
export async function signDigest(
  access: RegistryAccess,
  key: OpenedKey,
  subject: { repository: string; digest: string; tags: readonly string[] },
  options: { timeout: number; written?: (signature: SignatureWritten) => void | Promise<void> },
): Promise<string[]> {
  const { repository, digest, tags } = subject;
  const targets = await digestsToSign(access, repository, digest);
  if (!targets) {
    throw new FlightlineError('disk-vanished', `${repository}@${digest} is no longer in the registry`);
  }
  const signed = new Set<string>();
  for (const target of targets) {
    for (let round = 0; ; round++) {
      const names = await signedNames(access, repository, target.digest, key.publicKey);
      const missing = tags.filter((tag) => !names.includes(`${repository}:${tag}`));
      if (missing.length === 0) break;
      if (round === SIGN_ROUNDS) {
        throw new FlightlineError(
          'registry',
          `the signatures of ${repository}@${target.digest} for ${missing.join(', ')} did not stay: somebody else writes them too`,
        );
      }
      for (const tag of missing) {
        const name = `docker://${repository}@${target.digest}`;
        await copyImage(
          access,
          {
            source: name,
            destination: name,
            multiArch: target.isIndex ? 'index-only' : 'all',
            sign: {
              privateKey: key.privateKey,
              passphraseFile: key.passphraseFile,
              identity: `${repository}:${tag}`,
            },
          },
          { timeout: options.timeout },
        );
        await options.written?.({ repository, digest: target.digest, tag });
        signed.add(tag);
      }
    }
  }
  return tags.filter((tag) => signed.has(tag));
}
