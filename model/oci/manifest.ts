/**
 * The JSON documents of OCI images and artifacts (OCI image specification v1.1), as bytes with their digests:
 * single-blob artifacts (contexts, records), disk artifacts in an index, container disks. Members have the order of
 * Go's types, so that a disk artifact is byte for byte what `podman manifest add --artifact` pushes. Pure.
 */
import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import { OCI } from './labels.ts';
import { entryTag } from './reference.ts';
import type { Architecture } from '../base/host.ts';

export const MEDIA_TYPES = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  /** "Guidance for an Empty Descriptor" of the image specification. */
  empty: 'application/vnd.oci.empty.v1+json',
  tar: 'application/vnd.oci.image.layer.v1.tar',
  tarGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

/** A descriptor of a blob or document: digest and size in bytes. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  /** The content itself in base64, for tiny documents. */
  data?: string;
  annotations?: Record<string, string>;
  platform?: { architecture: string; os: string };
  artifactType?: string;
}

/** A document with its descriptor. */
export interface Document {
  descriptor: Descriptor;
  bytes: Uint8Array;
}

/** The documents of one image or artifact: all that a layout or repository has of it besides blobs. */
export interface Layout {
  /** The image or artifact itself: its digest is the one to push, sign and tag. */
  root: Descriptor;
  /** Config, manifest and index, each before those that point at it. */
  documents: Document[];
}

/** The content of the file `oci-layout` ("Image Layout Specification"). */
export const LAYOUT_FILE = '{"imageLayoutVersion":"1.0.0"}';

/** `{}`: the config of an artifact that has none. */
export const EMPTY_CONFIG: Document = document(MEDIA_TYPES.empty, {});

/** A value as a document, with its members in the given order. */
export function document(mediaType: string, value: unknown): Document {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return { descriptor: { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length }, bytes };
}

/** The content of a layout's `index.json` with one root. */
export function layoutIndex(root: Descriptor): Document {
  return document(MEDIA_TYPES.index, { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [plain(root)] });
}

/** The one blob of an artifact. */
interface ArtifactBlob {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
  /** File name, for the annotation from which tools take the name of the file that they pull. */
  title?: string;
}

interface ArtifactOptions {
  artifactType: string;
  blob: ArtifactBlob;
  /** What it is about. */
  subject?: Descriptor;
  /** Annotations of the manifest. */
  annotations?: Record<string, string>;
}

/** An artifact of one blob as a single manifest: a context or a record. */
export function blobArtifact({ blob, ...options }: ArtifactOptions): Layout {
  return filesArtifact({ ...options, blobs: [blob] });
}

/** An artifact of several files as a single manifest: a host's logs. */
export function filesArtifact(options: Omit<ArtifactOptions, 'blob'> & { blobs: readonly ArtifactBlob[] }): Layout {
  const manifest = document(MEDIA_TYPES.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    artifactType: options.artifactType,
    config: { ...EMPTY_CONFIG.descriptor, data: Buffer.from(EMPTY_CONFIG.bytes).toString('base64') },
    layers: options.blobs.map((blob) => ({
      mediaType: blob.mediaType,
      digest: blob.digest,
      size: blob.size,
      ...annotations(blob.title === undefined ? {} : { [OCI.title]: blob.title }),
    })),
    ...(options.subject && { subject: plain(options.subject) }),
    ...annotations(options.annotations),
  });
  return { root: manifest.descriptor, documents: [EMPTY_CONFIG, manifest] };
}

/**
 * A disk artifact: an index with one entry, since only entries of an index have a platform. The manifest gets the
 * `annotations`; the index stays as podman makes it.
 */
export function diskArtifact(options: ArtifactOptions & { architecture: Architecture }): Layout {
  const { root, documents } = blobArtifact(options);
  const index = document(MEDIA_TYPES.index, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests: [
      {
        mediaType: root.mediaType,
        digest: root.digest,
        size: root.size,
        platform: { architecture: options.architecture, os: 'linux' },
        artifactType: options.artifactType,
      },
    ],
  });
  return { root: index.descriptor, documents: [...documents, index] };
}

/** An image for KubeVirt with one uncompressed tar layer, which the caller writes: the disk is `/disk/<file>` in it. */
export function containerDisk(options: {
  /** Digest and bytes of the tar. */
  layer: { digest: string; size: number };
  architecture: Architecture;
  /** ISO 8601; left out when absent, so that equal disks give equal images. */
  created?: string;
  labels?: Record<string, string>;
}): Layout {
  const created = options.created === undefined ? {} : { created: options.created };
  const config = document(MEDIA_TYPES.config, {
    ...created,
    architecture: options.architecture,
    os: 'linux',
    config: options.labels && Object.keys(options.labels).length > 0 ? { Labels: sorted(options.labels) } : {},
    // The layer is not compressed: its digest is its diff id.
    rootfs: { type: 'layers', diff_ids: [options.layer.digest] },
    history: [{ ...created, created_by: 'flightline: disk', comment: 'container disk' }],
  });
  const manifest = document(MEDIA_TYPES.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config: plain(config.descriptor),
    layers: [{ mediaType: MEDIA_TYPES.tar, digest: options.layer.digest, size: options.layer.size }],
  });
  return { root: manifest.descriptor, documents: [config, manifest] };
}

// ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const ReadDescriptor = z.looseObject({
  mediaType: z.string(),
  digest: z.string(),
  size: z.number().int().nonnegative(),
  annotations: z.record(z.string(), z.string()).nullish(),
  artifactType: z.string().nullish(),
  platform: z.looseObject({ architecture: z.string(), os: z.string() }).nullish(),
});

/** The parts of a manifest or index from a registry that flightline reads. */
export const Manifest = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().nullish(),
  config: ReadDescriptor.nullish(),
  layers: z.array(ReadDescriptor).nullish(),
  manifests: z.array(ReadDescriptor).nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
});
export type Manifest = z.infer<typeof Manifest>;

/** Reads a manifest or index; `undefined` when the bytes are neither. */
export function parseManifest(bytes: Uint8Array): Manifest | undefined {
  try {
    return Manifest.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    return undefined;
  }
}

/** What a manifest or index describes. */
interface ManifestKind {
  /** Only the caller can tell a container disk from an image: their manifests look alike. */
  kind: 'image' | 'index' | 'artifact';
  /** The type of an artifact, or of every entry of an index of artifacts; null for images. */
  artifactType: string | null;
}

/** Tells images from artifacts and indexes of either (image specification, "Guidelines for Artifact Usage"). */
export function manifestKind(manifest: Manifest): ManifestKind {
  if (manifest.manifests) {
    const types = new Set(manifest.manifests.map((entry) => entry.artifactType ?? null));
    const [artifactType] = types;
    return artifactType && types.size === 1
      ? { kind: 'artifact', artifactType }
      : { kind: 'index', artifactType: null };
  }
  const config = manifest.config?.mediaType;
  if (manifest.artifactType) return { kind: 'artifact', artifactType: manifest.artifactType };
  return config === MEDIA_TYPES.config || config === 'application/vnd.docker.container.image.v1+json'
    ? { kind: 'image', artifactType: null }
    : { kind: 'artifact', artifactType: config ?? null };
}

/**
 * The entries of an index, each with its tags for these tags of the index; none for other documents. An entry without a
 * platform, or with that of an earlier entry, has no tags.
 */
export function indexEntries(manifest: Manifest, tags: readonly string[]): { digest: string; tags: string[] }[] {
  const seen = new Set<string>();
  return (manifest.manifests ?? []).map(({ digest, platform }) => {
    const architecture = platform?.architecture;
    const isNamed = architecture !== undefined && /^[a-z0-9]+$/.test(architecture) && !seen.has(architecture);
    if (architecture !== undefined) seen.add(architecture);
    return { digest, tags: isNamed ? tags.map((tag) => entryTag(tag, architecture)) : [] };
  });
}

/** The entries of an index with their platforms, as `linux/arm64`, without attestations of other entries. */
export function platformEntries({ manifests }: Manifest): { digest: string; platform: string }[] {
  return (manifests ?? []).flatMap(({ digest, platform }) =>
    platform && platform.os !== 'unknown' ? [{ digest, platform: `${platform.os}/${platform.architecture}` }] : [],
  );
}

// ── helpers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function plain(descriptor: Descriptor): Descriptor {
  return { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size };
}

function annotations(values: Record<string, string> = {}): { annotations?: Record<string, string> } {
  return Object.keys(values).length > 0 ? { annotations: sorted(values) } : {};
}

/** Go writes maps with sorted keys. */
function sorted(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).sort(([left], [right]) => (left < right ? -1 : 1)));
}
