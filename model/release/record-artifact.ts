/** The record as an artifact. It has its own file, since workflows cannot compute digests. */
import { canonicalJson, sha256 } from '../base/digest.ts';
import { blobArtifact, type Layout } from '../oci/manifest.ts';
import type { ReleaseRecord } from './record.ts';

/** Artifact type and layer type of a record in a registry. */
export const RECORD_MEDIA_TYPE = 'application/vnd.flightline.record.v1+json';

/** The record as an artifact: equal records give equal bytes. Pure. */
export function recordArtifact(record: ReleaseRecord): { bytes: Uint8Array; blob: string; layout: Layout } {
  const bytes = new TextEncoder().encode(canonicalJson(record));
  const blob = `sha256:${sha256(bytes)}`;
  const layout = blobArtifact({
    artifactType: RECORD_MEDIA_TYPE,
    blob: { mediaType: RECORD_MEDIA_TYPE, digest: blob, size: bytes.length, title: 'record.json' },
  });
  return { bytes, blob, layout };
}
