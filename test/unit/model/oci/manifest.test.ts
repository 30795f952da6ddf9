import { expect, it } from 'vitest';
import { indexEntries, type Manifest } from '../../../../model/oci/manifest.ts';
import { entryTag, Tag } from '../../../../model/oci/reference.ts';

const entry = (digest: string, architecture?: string) => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest,
  size: 2,
  ...(architecture && { platform: { architecture, os: 'linux' } }),
});
const index = (...manifests: Manifest['manifests'] & object): Manifest => ({ schemaVersion: 2, manifests });

it.each<[string, Manifest, object[]]>([
  ['of one platform', index(entry('a', 'amd64')), [{ digest: 'a', tags: ['v1-amd64', 'stable-amd64'] }]],
  [
    'of two platforms',
    index(entry('a', 'amd64'), entry('b', 'arm64')),
    [
      { digest: 'a', tags: ['v1-amd64', 'stable-amd64'] },
      { digest: 'b', tags: ['v1-arm64', 'stable-arm64'] },
    ],
  ],
  [
    'twice for a platform, and without one',
    index(entry('a', 'amd64'), entry('b', 'amd64'), entry('c')),
    [
      { digest: 'a', tags: ['v1-amd64', 'stable-amd64'] },
      { digest: 'b', tags: [] },
      { digest: 'c', tags: [] },
    ],
  ],
  ['whose platform is no part of a tag', index(entry('a', '../x')), [{ digest: 'a', tags: [] }]],
  ['none in an image', { schemaVersion: 2, layers: [] }, []],
])('the entries of an index have tags of their own: %s', (_, manifest, entries) => {
  expect(indexEntries(manifest, ['v1', 'stable'])).toEqual(entries);
});

it('a long tag is cut where the architecture is appended', () => {
  const longest = 'x'.repeat(128);
  expect(Tag.safeParse(entryTag(longest, 'amd64')).success).toBe(true);
  expect(entryTag(longest, 'amd64')).toBe(`${'x'.repeat(122)}-amd64`);
});
