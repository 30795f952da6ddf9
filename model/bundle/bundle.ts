/**
 * A bundle: a released name with its disks, its record and all that is attached to their digests, as one OCI layout.
 * Its index names each root as a registry does. Equal contents give equal bytes. Pure.
 */
import { z } from 'zod';
import { blobArtifact, MEDIA_TYPES, type Layout } from '../oci/manifest.ts';
import { Digest, referrersTag, type Reference } from '../oci/reference.ts';
import { deviceKeyPath, policyFor, pulledRepositories } from '../device/signature-policy.ts';
import { sha256 } from '../base/digest.ts';
import type { ReleaseRecord } from '../release/record.ts';

const NAME = 'org.opencontainers.image.ref.name';
const IMAGE = 'io.flightline.bundle.image';
const RECORD = 'io.flightline.bundle.record';

/** Artifact type of the policy in a bundle, whose root has that name. */
const POLICY_MEDIA_TYPE = 'application/vnd.flightline.device-policy.v1+json';
export const POLICY_NAME = 'device-policy';
/** Name of the key in the policy of a bundle, as in the guide. */
const POLICY_KEY = 'release';

/** A manifest or index with its name: `repository:tag`, `repository@digest` of a referrer, or the policy's. */
export interface BundleRoot {
  name: string;
  mediaType: string;
  digest: string;
  /** Bytes of the manifest. */
  size: number;
}

/** What `index.json` says. */
export interface BundleIndex {
  /** `repository:tag` of the image, and of the record. */
  image: string;
  record: string;
  roots: readonly BundleRoot[];
}

const IndexFile = z.object({
  annotations: z.object({ [IMAGE]: z.string(), [RECORD]: z.string() }),
  manifests: z.array(
    z.object({
      mediaType: z.string(),
      digest: Digest,
      size: z.number().int().nonnegative(),
      annotations: z.object({ [NAME]: z.string() }),
    }),
  ),
});

/** The text of `index.json`. */
export function bundleIndexText({ image, record, roots }: BundleIndex): string {
  const sorted = [...roots].sort((left, right) => (left.name < right.name ? -1 : 1));
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests: sorted.map(({ name, mediaType, digest, size }) => {
      return { mediaType, digest, size, annotations: { [NAME]: name } };
    }),
    annotations: { [IMAGE]: image, [RECORD]: record },
  });
}

/** Reads `index.json`; undefined unless its bytes are those that {@link bundleIndexText} writes for what it says. */
export function readBundleIndex(text: string): BundleIndex | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = IndexFile.safeParse(json);
  if (!parsed.success) return undefined;
  const { annotations, manifests } = parsed.data;
  const roots = manifests.map(({ annotations: named, ...root }) => ({ ...root, name: named[NAME] }));
  const index = { image: annotations[IMAGE], record: annotations[RECORD], roots };
  const isUnique = new Set(roots.map(({ name }) => name)).size === roots.length;
  return isUnique && bundleIndexText(index) === text ? index : undefined;
}

/** A digest that must be signed for its tag. */
export interface BundleSubject {
  repository: string;
  tag: string;
  digest: string;
}

/**
 * What a bundle is of, in the order in which tags move: published disks, image, record.
 *
 * @param recordDigest of the record's own manifest
 */
export function bundleSubjects(
  release: ReleaseRecord,
  image: Reference,
  record: Reference,
  recordDigest: string,
): BundleSubject[] {
  const disks = release.disks.flatMap(({ reference, digest }) => {
    if (reference === null || digest === null) return [];
    const colon = reference.lastIndexOf(':');
    return [{ repository: reference.slice(0, colon), tag: reference.slice(colon + 1), digest }];
  });
  return [
    ...disks,
    { repository: image.repository, tag: image.tag!, digest: release.image.digest! },
    { repository: record.repository, tag: record.tag!, digest: recordDigest },
  ];
}

/**
 * The policy under which devices take the release where it was made, with the public key, as an artifact.
 *
 * @param publicKey PEM
 */
export function policyArtifact(
  release: ReleaseRecord,
  repository: string,
  publicKey: string,
): { layout: Layout; blobs: { digest: string; bytes: Uint8Array }[] } {
  const disks = release.disks.flatMap(({ form, reference }) =>
    reference === null ? [] : [{ publish: form, repository: reference.slice(0, reference.lastIndexOf(':')) }],
  );
  const pulled = pulledRepositories({ repository, disks });
  const policy = policyFor(pulled, deviceKeyPath(POLICY_KEY), 'reject');
  const bytes = new TextEncoder().encode(JSON.stringify({ policy, publicKey }, null, 2));
  const digest = `sha256:${sha256(bytes)}`;
  const blob = { mediaType: POLICY_MEDIA_TYPE, digest, size: bytes.length, title: 'device-policy.json' };
  return { layout: blobArtifact({ artifactType: POLICY_MEDIA_TYPE, blob }), blobs: [{ digest, bytes }] };
}

/**
 * Where a repository of the bundle goes; undefined for one that is not named after the image's: below it, or with its
 * name as the beginning (`edge-camera-release`).
 */
export function importedRepository(repository: string, image: string, target: string): string | undefined {
  const rest = repository.slice(image.length);
  return repository.startsWith(image) && /^(?:$|[-._/])/.test(rest) ? target + rest : undefined;
}

/** What the roots of a bundle may be, besides its subjects and their entries. */
export function isAttachedTo(name: string, held: readonly { repository: string; digest: string }[]): boolean {
  return held.some(({ repository, digest }) => {
    const tag = `${repository}:${referrersTag(digest)}`;
    return name.startsWith(`${tag}.`) && /^\.[a-z]+$/.test(name.slice(tag.length));
  });
}
