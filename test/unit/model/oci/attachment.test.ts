import { describe, expect, it } from 'vitest';
import { mergedAttachment, mergedReferrers } from '../../../../model/oci/attachment.ts';
import { document, MEDIA_TYPES } from '../../../../model/oci/manifest.ts';

const layer = (text: string, signature = text) => ({
  mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
  digest: `sha256:${text.repeat(64)}`,
  size: 1,
  annotations: { 'dev.cosignproject.cosign/signature': signature },
});
const config = { mediaType: MEDIA_TYPES.config, digest: `sha256:${'0'.repeat(64)}`, size: 2 };
const signatures = (...layers: object[]) => document(MEDIA_TYPES.manifest, { schemaVersion: 2, config, layers }).bytes;
const read = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as Record<string, never>;

describe('signatures of two registries', () => {
  it('are joined: what stands comes first, and each is there once', () => {
    const merged = mergedAttachment(signatures(layer('a'), layer('b')), signatures(layer('b'), layer('b', 'other')));
    if (typeof merged === 'string') throw new Error(merged);
    expect(read(merged.manifest.bytes)['layers']).toEqual([layer('a'), layer('b'), layer('b', 'other')]);
    expect(read(merged.config.bytes)['rootfs']).toEqual({
      type: 'layers',
      diff_ids: ['a', 'b', 'b'].map((one) => `sha256:${one.repeat(64)}`),
    });
  });

  it.each([
    ['nothing-new', signatures(layer('a'), layer('b')), signatures(layer('b'))],
    [
      'unknown',
      document(MEDIA_TYPES.manifest, { schemaVersion: 2, layers: [layer('a')] }).bytes,
      signatures(layer('a')),
    ],
    ['unknown', signatures(layer('a')), new TextEncoder().encode('{}')],
  ])('give %s', (expected, standing, added) => {
    expect(mergedAttachment(standing, added)).toBe(expected);
  });
});

it('a list of referrers gets what it lacks, with what it says of itself', () => {
  const artifactType = 'application/vnd.example.sbom';
  const referrer = document(MEDIA_TYPES.manifest, { schemaVersion: 2, artifactType, annotations: { of: 'it' } });
  const { mediaType, digest, size } = referrer.descriptor;
  const list = mergedReferrers(null, { mediaType, digest, size }, referrer.bytes)!;
  expect(read(list.bytes)['manifests']).toEqual([{ mediaType, digest, size, artifactType, annotations: { of: 'it' } }]);
  expect(mergedReferrers(list.bytes, { mediaType, digest, size }, referrer.bytes)).toBeNull();
  const other = { mediaType, digest: `sha256:${'1'.repeat(64)}`, size };
  expect(read(mergedReferrers(list.bytes, other, referrer.bytes)!.bytes)['manifests']).toHaveLength(2);
});
