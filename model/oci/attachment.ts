/** Joins what two registries have beside the same digest. Pure. */
import { z } from 'zod';
import { document, MEDIA_TYPES, parseManifest, type Document, type Manifest } from './manifest.ts';

/** A layer as cosign writes them: a signature is in an annotation. */
export type AttachedLayer = NonNullable<Manifest['layers']>[number];

const isSame = (left: AttachedLayer, right: AttachedLayer) =>
  left.digest === right.digest && JSON.stringify(left.annotations) === JSON.stringify(right.annotations);

/**
 * The signatures or attestations of a digest, joined: those that stand, then the others. Its configuration lists the
 * layers (cosign's SIGNATURE_SPEC). `unknown` unless both are what cosign or skopeo write.
 */
export function mergedAttachment(
  standing: Uint8Array,
  added: Uint8Array,
): { manifest: Document; config: Document } | 'nothing-new' | 'unknown' {
  const [before, after] = [parseManifest(standing), parseManifest(added)];
  if (before?.config?.mediaType !== MEDIA_TYPES.config || !before.layers || !after?.layers) return 'unknown';
  const layers: AttachedLayer[] = before.layers;
  const others = after.layers.filter((layer) => !layers.some((one) => isSame(one, layer)));
  if (others.length === 0) return 'nothing-new';
  return attachmentImage([...layers, ...others]);
}

/** The image that holds signatures or attestations as layers: its configuration lists them once more. */
export function attachmentImage(layers: readonly AttachedLayer[]): { manifest: Document; config: Document } {
  const config = document(MEDIA_TYPES.config, {
    architecture: '',
    os: '',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  });
  const { mediaType, digest, size } = config.descriptor;
  const manifest = document(MEDIA_TYPES.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config: { mediaType, digest, size },
    layers,
  });
  return { manifest, config };
}

const Annotations = z.record(z.string(), z.string());

/**
 * The list of what speaks of a digest, with one more (OCI distribution specification v1.1, "Pushing Manifests with
 * Subject"); null when it is in there already.
 */
export function mergedReferrers(
  standing: Uint8Array | null,
  descriptor: { mediaType: string; digest: string; size: number },
  referrer: Uint8Array,
): Document | null {
  const listed = (standing && parseManifest(standing)?.manifests) ?? [];
  if (listed.some(({ digest }) => digest === descriptor.digest)) return null;
  const manifest = parseManifest(referrer);
  const artifactType = manifest?.artifactType ?? manifest?.config?.mediaType;
  const annotations = Annotations.safeParse(manifest?.annotations).data;
  return document(MEDIA_TYPES.index, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests: [
      ...listed,
      { ...descriptor, ...(artifactType && { artifactType }), ...(annotations && { annotations }) },
    ],
  });
}
