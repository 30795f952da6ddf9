/**
 * A small client of the OCI distribution specification v1.1, for what skopeo cannot do or does slowly: does a digest
 * exist, what does a manifest say, may this login push. Failures are {@link FlightlineError}s and hold no secret.
 */
import { FlightlineError } from '../../../model/failure/failure.ts';
import { sha256 } from '../../../model/base/digest.ts';
import { parseManifest } from '../../../model/oci/manifest.ts';
import { Digest } from '../../../model/oci/reference.ts';
import type { RegistryAccess } from './access.ts';
import { together } from '../together.ts';
import { ask } from './ask.ts';
import { expectSuccess } from './api.ts';

/** Bytes of a manifest: the distribution specification's limit ("Pushing Manifests"). */
const MAX_MANIFEST = 4 * 1024 * 1024;

/** Manifests of images and indexes, in OCI's and Docker's words. */
const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/** A manifest as the registry keeps it. */
interface StoredManifest {
  digest: string;
  mediaType: string;
  bytes: Buffer;
}

/** The digest that a tag or digest has in a repository now; null when there is none. */
export async function headManifest(
  access: RegistryAccess,
  repository: string,
  reference: string,
): Promise<string | null> {
  const answer = await ask(access, repository, 'pull', `/manifests/${reference}`, {
    method: 'HEAD',
    headers: { accept: MANIFEST_TYPES },
  });
  if (answer.status === 404) return null;
  expectSuccess(answer, repository, `the manifest ${reference}`);
  const digest = Digest.safeParse(answer.headers['docker-content-digest']);
  if (digest.success) return digest.data;
  // The header is optional in the specification.
  return (await getManifest(access, repository, reference))?.digest ?? null;
}

/** A manifest or index by tag or digest, its bytes checked against its digest; null when there is none. */
export async function getManifest(
  access: RegistryAccess,
  repository: string,
  reference: string,
): Promise<StoredManifest | null> {
  const answer = await ask(access, repository, 'pull', `/manifests/${reference}`, {
    headers: { accept: MANIFEST_TYPES },
    limit: MAX_MANIFEST,
  });
  if (answer.status === 404) return null;
  expectSuccess(answer, repository, `the manifest ${reference}`);
  const digest = `sha256:${sha256(answer.body)}`;
  const claimed = Digest.safeParse(reference).success ? reference : answer.headers['docker-content-digest'];
  if (Digest.safeParse(claimed).success && claimed !== digest) {
    throw new FlightlineError(
      'registry',
      `${repository}: the manifest ${reference} has the digest ${digest}, not ${String(claimed)}: the ` +
        `registry's answer is damaged`,
    );
  }
  const mediaType = (answer.headers['content-type'] ?? '').split(';')[0]!.trim();
  return { digest, mediaType, bytes: answer.body };
}

/** Stores a manifest whose parts are there under a tag or its digest. */
export async function putManifest(
  access: RegistryAccess,
  repository: string,
  reference: string,
  { mediaType, bytes }: Pick<StoredManifest, 'mediaType' | 'bytes'>,
): Promise<void> {
  const answer = await ask(access, repository, 'pull,push', `/manifests/${reference}`, {
    method: 'PUT',
    headers: { 'content-type': mediaType, 'content-length': String(bytes.length) },
    body: bytes,
  });
  expectSuccess(answer, repository, `the manifest ${reference}`);
}

/**
 * A blob of at most `limit` bytes, checked against its digest; null when there is none.
 *
 * @throws FlightlineError `registry` also when it is longer.
 */
export async function getBlob(
  access: RegistryAccess,
  repository: string,
  digest: string,
  limit: number,
): Promise<Buffer | null> {
  const answer = await ask(access, repository, 'pull', `/blobs/${digest}`, { limit });
  if (answer.status === 404) return null;
  expectSuccess(answer, repository, `the blob ${digest}`);
  if (`sha256:${sha256(answer.body)}` !== digest) {
    throw new FlightlineError('registry', `${repository}: the blob ${digest} arrived damaged`);
  }
  return answer.body;
}

/**
 * Proves that the login may push to a repository, by opening an upload and dropping it. Nothing stays behind.
 *
 * @throws FlightlineError `registry-login`, `registry-denied` or `registry`.
 */
export async function provePushRight(access: RegistryAccess, repository: string): Promise<void> {
  const answer = await ask(access, repository, 'pull,push', '/blobs/uploads/', {
    method: 'POST',
    headers: { 'content-length': '0' },
  });
  if (answer.status === 404) {
    throw new FlightlineError(
      'registry-denied',
      `${repository} does not exist, and its registry makes none on a push`,
      {
        remedy: "make the repository in the registry's own interface",
      },
    );
  }
  expectSuccess(answer, repository, 'an upload');
  const drop = answer.headers.location ? new URL(answer.headers.location, answer.url) : undefined;
  // The token goes to no other host than the registry, and not in the clear because a proxy forgot its own protocol.
  if (drop?.host !== answer.url.host) return;
  drop.protocol = answer.url.protocol;
  // Not every registry knows how to drop an upload; an abandoned one expires.
  await ask(access, repository, 'pull,push', drop, { method: 'DELETE' }).catch((error: unknown) => {
    if (!(error instanceof FlightlineError)) throw error;
  });
}

/** `true` when whatever is pushed to the repository can be pulled without a login. */
export async function answersAnonymously(access: RegistryAccess, repository: string): Promise<boolean> {
  const anonymous: RegistryAccess = { ...access, authfile: '/dev/null' };
  try {
    const answer = await ask(anonymous, repository, 'pull', '/tags/list?n=1', {});
    // A registry that never asked who it is serves everybody, also a repository that is not there yet.
    return answer.status === 200 || (answer.status === 404 && !answer.challenged);
  } catch (error) {
    if (error instanceof FlightlineError && error.failure.kind !== 'registry') return false;
    throw error;
  }
}

/**
 * Who can pull from a repository, for the owner of a login. Of one that does not exist yet it is unknown: a push may
 * make it public.
 *
 * @throws FlightlineError `registry` when it does not answer.
 */
export async function exposureOf(
  access: RegistryAccess,
  repository: string,
): Promise<'public' | 'private' | 'unknown'> {
  if (await answersAnonymously(access, repository)) return 'public';
  try {
    const { status } = await ask(access, repository, 'pull', '/tags/list?n=1', {});
    return status === 404 ? 'unknown' : 'private';
  } catch (error) {
    if (error instanceof FlightlineError && error.failure.kind !== 'registry') return 'unknown';
    throw error;
  }
}

/**
 * The first part of a digest that the registry does not have, in words: the manifest itself, an entry of an index, a
 * configuration or a layer. Null when all is there. Blobs are asked for by HEAD.
 */
export async function missingPart(access: RegistryAccess, repository: string, digest: string): Promise<string | null> {
  const stored = await getManifest(access, repository, digest);
  if (!stored) return `the manifest ${digest}`;
  const manifest = parseManifest(stored.bytes);
  for (const entry of manifest?.manifests ?? []) {
    const missing = await missingPart(access, repository, entry.digest);
    if (missing !== null) return missing;
  }
  const blobs = [manifest?.config, ...(manifest?.layers ?? [])].flatMap((blob) => blob?.digest ?? []);
  const found = await together([...new Set(blobs)], async (blob) => {
    const answer = await ask(access, repository, 'pull', `/blobs/${blob}`, { method: 'HEAD' });
    if (answer.status === 404) return blob;
    expectSuccess(answer, repository, `the blob ${blob}`);
    return null;
  });
  const missing = found.find((blob) => blob !== null);
  return missing === undefined ? null : `the blob ${missing}`;
}
