/**
 * sigstore signatures beside an image (containers/image `docs/signature-protocols.md`, cosign's SIGNATURE_SPEC). skopeo
 * writes them. This file reads them from the `.sig` tag and checks them. There is exactly one signature per digest, key
 * and name.
 */
import { verify, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { FlightlineError } from '../../model/failure/failure.ts';
import { indexEntries, parseManifest } from '../../model/oci/manifest.ts';
import { signatureTag } from '../../model/oci/reference.ts';
import type { OpenedKey } from './keys.ts';
import { writeSignature } from './kms/write-signature.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import type { RepositoryReader } from '../tools/registry/reading/manifest-reader.ts';
import { copyImage } from '../tools/registry/skopeo.ts';
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
    // Ed25519 includes the hash.
    const hash = publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    if (!verify(hash, payload, publicKey, Buffer.from(signature, 'base64'))) return undefined;
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
  isIndex: boolean;
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
  return [
    ...entries.map((entry) => ({ digest: entry.digest, isIndex: false, tags: [...tags, ...entry.tags] })),
    { digest, isIndex: manifest?.manifests != null, tags },
  ];
}

/** A missing signature by the key. */
interface Missing {
  digest: string;
  tag: string;
}

async function missingSignatures(
  access: RepositoryReader,
  repository: string,
  publicKey: KeyObject,
  targets: readonly Pick<Signed, 'digest' | 'tags'>[],
): Promise<Missing[]> {
  const missing = await together(targets, async ({ digest, tags }) => {
    const names = await signedNames(access, repository, digest, publicKey);
    return tags.filter((tag) => !names.includes(`${repository}:${tag}`)).map((tag) => ({ digest, tag }));
  });
  return missing.flat();
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
  return [...new Set(missing.map(({ tag }) => tag))];
}

/** One run of skopeo, and the digests that it signs for the tag. */
interface SigningRun {
  digest: string;
  tag: string;
  multiArch: 'all' | 'index-only';
  signs: readonly string[];
}

/**
 * The runs that write missing signatures. A tag that an index and all its entries lack takes one run, since most of the
 * work is to unlock the key. Existing signatures are not made again. Pure.
 */
function signingRuns(targets: readonly Signed[], missing: readonly Missing[]): SigningRun[] {
  const index = targets.find(({ isIndex }) => isIndex);
  const lacks = (digest: string, tag: string) => missing.some((one) => one.digest === digest && one.tag === tag);
  const whole = index?.tags.filter((tag) => targets.every(({ digest }) => lacks(digest, tag))) ?? [];
  const signs = targets.map(({ digest }) => digest);
  return [
    ...whole.map((tag): SigningRun => ({ digest: index!.digest, tag, multiArch: 'all', signs })),
    ...missing
      .filter(({ tag }) => !whole.includes(tag))
      .map(({ digest, tag }): SigningRun => {
        return { digest, tag, multiArch: digest === index?.digest ? 'index-only' : 'all', signs: [digest] };
      }),
  ];
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
  const signed = new Set<string>();
  for (let round = 0; ; round++) {
    const missing = await missingSignatures(access, repository, key.publicKey, targets);
    if (missing.length === 0) return tags.filter((tag) => signed.has(tag));
    if (round === SIGN_ROUNDS) {
      const names = missing.map((one) => `${repository}:${one.tag}@${one.digest}`).join(', ');
      throw new FlightlineError(
        'registry',
        `the signatures for ${names} were overwritten: something else writes signatures there too`,
      );
    }
    for (const run of signingRuns(targets, missing)) {
      await signRun(access, key, repository, run, options.timeout);
      for (const one of run.signs) await options.written?.({ repository, digest: one, tag: run.tag });
      signed.add(run.tag);
    }
  }
}

/** Signs with skopeo, or with what reaches a key that is not a file. */
async function signRun(
  access: RegistryAccess,
  key: OpenedKey,
  repository: string,
  { digest, tag, multiArch, signs }: SigningRun,
  timeout: number,
): Promise<void> {
  if ('kms' in key) {
    for (const one of signs) await writeSignature(access, key, { repository, digest: one, tag }, timeout);
    return;
  }
  const name = `docker://${repository}@${digest}`;
  const { privateKey, passphraseFile } = key;
  const sign = { privateKey, passphraseFile, identity: `${repository}:${tag}` };
  await copyImage(access, { source: name, destination: name, multiArch, sign }, { timeout });
}
