/** Verifies under a device's policy: by a worker that did not build the image, and for people, by pulling. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { VerifyInput } from '../../model/contract/sign.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { Architecture } from '../../model/base/host.ts';
import { sha256 } from '../../model/base/digest.ts';
import { formatReference, parseReference, type Reference } from '../../model/oci/reference.ts';
import type { PlatformImage } from '../../model/oci/image-diff.ts';
import { parseManifest } from '../../model/oci/manifest.ts';
import { updateCost, type ImageManifest, type UpdateCost } from '../../model/oci/update-cost.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { openKey, readPublicKey, type OpenedKey } from './keys.ts';
import { pulledKind, type PulledKind } from './pulled-kind.ts';
import { signedNames, unsignedTags } from './signatures.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import type { RepositoryClient, StoredManifest } from '../tools/registry/repository.ts';
import { writeDevicePolicy, copyImage } from '../tools/registry/skopeo.ts';
import { imageFor, platformImages } from '../tools/stored-image.ts';
import { allEnded } from '../tools/together.ts';
import type { WorkerBody } from '../server.ts';

/** Milliseconds for a pull of any size over any connection. */
const PULL_TIMEOUT = 6 * 60 * 60_000;

/** The `verify` activity of sign workers. */
async function verifySubject(
  worker: { configuration: WorkerConfiguration },
  input: VerifyInput,
): Promise<ActivityAnswer<'verify'>> {
  const { repository, digest, tags, timing, update } = input;
  const key = await openKey(worker.configuration, input.key, [repository]);
  return withRegistryAccess(worker.configuration, [repository], async (access) => {
    const stored = await verifyDigest(access, key, { repository, digest, tags }, timing.command);
    return update ? { updates: await updateCosts(access.repository(repository), stored, update) } : {};
  });
}

/** What a verified image costs devices that have what the tag points at now. A tag that is new costs nobody. */
async function updateCosts(
  repository: RepositoryClient,
  stored: StoredManifest,
  { from, architectures }: NonNullable<VerifyInput['update']>,
): Promise<UpdateCost[]> {
  const there = await repository.getManifest(from);
  if (!there) return [];
  // An image of one platform says which in its configuration only: that is read where it matters.
  const isOne = !parseManifest(there.bytes)?.manifests;
  const known =
    isOne && architectures.length > 1 ? await platformImages(repository, there.digest).catch(noneWhenLost) : null;
  const costs = await allEnded(
    architectures.map(async (architecture): Promise<UpdateCost[]> => {
      const [before, next] = await allEnded([
        known ? Promise.resolve(imageAmong(known, architecture)) : imageFor(repository, there, architecture),
        imageFor(repository, stored, architecture),
      ]);
      if (!before || !next) return [];
      const facts = { platform: `linux/${architecture}`, from: `${repository.repository}:${from}` };
      return [{ ...facts, digest: there.digest, ...updateCost(before, next) }];
    }),
  );
  return costs.flat();
}

/** What the tag points at is no part of the release: when the registry has lost it, it costs nobody anything. */
function noneWhenLost(error: unknown): PlatformImage[] {
  if (error instanceof FlightlineError && /^(?:image-not-found|invalid-input)$/.test(error.failure.kind)) return [];
  throw error;
}

function imageAmong(images: readonly PlatformImage[], architecture: string): ImageManifest | null {
  return images.find(({ platform }) => platform === `linux/${architecture}`)?.image ?? null;
}

/**
 * Verifies a digest as a device would, and that it is signed for each tag; returns its manifest. Transfers no blob,
 * since it copies the digest onto itself.
 *
 * @param timeout milliseconds for the copy
 * @throws FlightlineError `signature-rejected`, `disk-vanished` when the digest is gone, or a registry's failure.
 */
export async function verifyDigest(
  access: RegistryAccess,
  key: Pick<OpenedKey, 'publicKeyFile' | 'publicKey'>,
  subject: { repository: string; digest: string; tags: readonly string[] },
  timeout: number,
): Promise<StoredManifest> {
  const { repository, digest } = subject;
  const stored = await access.repository(repository).getManifest(digest);
  if (!stored) {
    throw new FlightlineError('disk-vanished', `${repository}@${digest} is no longer in the registry`);
  }
  const name = `docker://${repository}@${digest}`;
  const policy = await writeDevicePolicy(access, repository, key.publicKeyFile);
  const [, unsigned] = await allEnded([
    copyImage(access, { source: name, destination: name, policy }, { timeout }),
    unsignedTags(access, key.publicKey, subject),
  ]);
  if (unsigned.length > 0) {
    const names = unsigned.map((tag) => `${repository}:${tag}`).join(', ');
    throw new FlightlineError('signature-rejected', `${repository}@${digest} is not signed by the key for ${names}`);
  }
  return stored;
}

/**
 * Verifies a tag by name, as a device does when it pulls. `signedAs` is the repository that signatures name, for what
 * was imported from there.
 *
 * @throws FlightlineError `signature-rejected`; `tag-moved` when it points at something else.
 */
export async function verifyTag(
  access: RegistryAccess,
  key: Pick<OpenedKey, 'publicKeyFile'>,
  subject: { repository: string; tag: string; digest: string; signedAs?: string },
  timeout: number,
): Promise<void> {
  const { repository, tag, digest, signedAs } = subject;
  const now = await access.repository(repository).headManifest(tag);
  if (now !== digest) {
    throw new FlightlineError('tag-moved', `${repository}:${tag} points at ${now ?? 'nothing'}, not at ${digest}`);
  }
  const policy = await writeDevicePolicy(access, repository, key.publicKeyFile, signedAs);
  await copyImage(
    access,
    { source: `docker://${repository}:${tag}`, destination: `docker://${repository}@${digest}`, policy },
    { timeout },
  );
}

/** The result of {@link verifyAsDevice}. */
interface DeviceVerification {
  /** Digest of the image, index or artifact. */
  digest: string;
  kind: PulledKind;
  /** Of the manifest or index. */
  mediaType: string;
  /** Null for images. */
  artifactType: string | null;
  /** Of an index, what its entries are for. */
  platforms?: string[];
  /** Every name (`repository:tag`) that the key signed this digest for. */
  signedNames: string[];
}

/**
 * For people with pull rights only: pulls a reference into a throwaway directory, under the policy of a device that
 * knows only this key. By tag, the signature must be for that very tag; by digest, for any of the repository. With
 * both, the tag must point there.
 *
 * @param options.publicKey path of the PEM file
 * @throws FlightlineError `invalid-input`, `key-missing`, `image-not-found`, `tag-moved`, `signature-rejected` or a
 *   registry's failure.
 */
export async function verifyAsDevice(options: {
  reference: string;
  publicKey: string;
  access: RegistryAccess;
}): Promise<DeviceVerification> {
  const { access } = options;
  const reference = fullReference(options.reference);
  const { repository } = reference;
  const publicKeyFile = resolve(options.publicKey);
  const publicKey = await readPublicKey(publicKeyFile);
  const directory = await mkdtemp(join(access.directory, 'pulled-'));
  try {
    if ((await access.repository(repository).headManifest(reference.tag ?? reference.digest!)) === null) {
      throw notFound(reference);
    }
    await pullAsDevice(access, { reference, publicKeyFile }, `dir:${directory}`);
    const digest = `sha256:${sha256(await readFile(join(directory, 'manifest.json')))}`;
    requireDigest(reference, digest);
    const kind = await pulledKind(directory);
    return { digest, ...kind, signedNames: await signedNames(access, repository, digest, publicKey) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Copies a reference from its registry under the policy of a device that knows only this key.
 *
 * @param architecture of an index, pulls what is for it alone
 * @param destination with its transport: `dir:DIR`, `oci:DIR`
 * @throws FlightlineError `signature-rejected` or a registry's failure
 */
export async function pullAsDevice(
  access: RegistryAccess,
  {
    reference,
    publicKeyFile,
    architecture,
  }: { reference: Reference; publicKeyFile: string; architecture?: Architecture | undefined },
  destination: string,
): Promise<void> {
  const { repository, tag } = reference;
  const policy = await writeDevicePolicy(access, repository, publicKeyFile);
  // skopeo refuses a reference with both. The tag decides what is accepted; the caller compares the digest.
  const source = `docker://${formatReference(tag === undefined ? reference : { repository, tag })}`;
  await copyImage(access, { source, destination, policy, architecture }, { timeout: PULL_TIMEOUT });
}

/** @throws FlightlineError `tag-moved` when a reference with a digest is another one now */
export function requireDigest({ repository, tag, digest: expected }: Reference, digest: string): void {
  if (expected === undefined || digest === expected) return;
  throw new FlightlineError('tag-moved', `${repository}:${tag} points at ${digest}, not at ${expected}`);
}

/** The failure of a reference that is not in its registry. */
export function notFound(reference: Reference): FlightlineError {
  return new FlightlineError('image-not-found', `${formatReference(reference)} is not in the registry`);
}

/** Reads a reference with a tag, a digest or both. @throws FlightlineError `invalid-input` */
export function fullReference(text: string): Reference {
  const parsed = parseReference(text);
  const remedy = 'name an image with its registry and a tag or digest, such as quay.io/acme/edge-camera:v1';
  if (!parsed.ok) throw new FlightlineError('invalid-input', parsed.problem, { remedy });
  if (parsed.reference.tag === undefined && parsed.reference.digest === undefined) {
    throw new FlightlineError('invalid-input', `"${text}" has neither a tag nor a digest`, { remedy });
  }
  return parsed.reference;
}

export default verifySubject satisfies WorkerBody<'verify'>;
