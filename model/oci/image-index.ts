/** The index of an image of several platforms (OCI image specification v1.1, "Image Index"). Pure. */
import type { Architecture } from '../base/host.ts';
import { sha256 } from '../base/digest.ts';
import { MEDIA_TYPES } from './manifest.ts';

/** The manifest of one platform. */
interface Entry {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
  architecture: Architecture;
}

/** The index as bytes, with its digest. */
export function imageIndex(entries: readonly Entry[]): { mediaType: string; digest: string; bytes: Buffer } {
  const manifests = entries
    .toSorted((left, right) => (left.architecture < right.architecture ? -1 : 1))
    .map(({ mediaType, digest, size, architecture }) => ({
      mediaType,
      digest,
      size,
      platform: { architecture, os: 'linux' },
    }));
  const mediaType = MEDIA_TYPES.index;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  return { mediaType, digest: `sha256:${sha256(bytes)}`, bytes };
}
