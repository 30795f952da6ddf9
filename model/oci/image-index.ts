/** The index of several platforms' images or disks (OCI image specification v1.1, "Image Index"). Pure. */
import type { Architecture } from '../base/host.ts';
import { document, MEDIA_TYPES, type Document } from './manifest.ts';

/** The manifest of one platform. */
interface Entry {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
  architecture: Architecture;
  /** Of an artifact. */
  artifactType?: string | undefined;
}

/** The index. */
export function imageIndex(entries: readonly Entry[]): Document {
  const manifests = entries
    .toSorted((left, right) => (left.architecture < right.architecture ? -1 : 1))
    .map(({ mediaType, digest, size, architecture, artifactType }) => ({
      mediaType,
      digest,
      size,
      platform: { architecture, os: 'linux' },
      ...(artifactType && { artifactType }),
    }));
  return document(MEDIA_TYPES.index, { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests });
}
