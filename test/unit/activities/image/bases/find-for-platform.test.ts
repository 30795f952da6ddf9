import { expect, it } from 'vitest';
import { findForPlatform } from '../../../../../activities/image/bases/find-for-platform.ts';
import type { RegistryAccess } from '../../../../../activities/tools/registry/access.ts';
import { sha256 } from '../../../../../model/base/digest.ts';

const IMAGE = 'quay.io/acme/base:1';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const digestOf = (value: unknown) => `sha256:${sha256(JSON.stringify(value))}`;

const configuration = (architecture: string) => ({ architecture, os: 'linux' });
const manifest = (architecture: string) => ({
  schemaVersion: 2,
  config: {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: digestOf(configuration(architecture)),
    size: 1,
  },
});
const entry = (architecture: string, os = 'linux') => ({
  mediaType: MANIFEST_TYPE,
  digest: digestOf(manifest(architecture)),
  size: 1,
  platform: { architecture, os },
});
const index = (...manifests: ReturnType<typeof entry>[]) => ({ schemaVersion: 2, manifests });

/** A registry in which every name means this document. `asked` notes what was read. */
function registryWith(document: object) {
  const digest = digestOf(document);
  const asked: string[] = [];
  const images = () => ({
    headManifest: () => Promise.resolve(digest),
    getManifest: (reference: string) => {
      asked.push(reference);
      return Promise.resolve({ digest, mediaType: MANIFEST_TYPE, bytes: Buffer.from(JSON.stringify(document)) });
    },
    getBlob: (wanted: string) => {
      const found = ['amd64', 'arm64', ''].map(configuration).find((one) => digestOf(one) === wanted);
      return Promise.resolve(found ? Buffer.from(JSON.stringify(found)) : null);
    },
  });
  return { access: { images } as unknown as RegistryAccess, digest, asked };
}

it.each<[string, object, string | null]>([
  ['the entry of an index', index(entry('amd64'), entry('arm64')), digestOf(manifest('arm64'))],
  ['an image of its own', manifest('arm64'), null],
  ['an image that does not say what it is for', manifest(''), null],
])('finds %s', async (_, document, found) => {
  const { access, digest } = registryWith(document);
  expect(await findForPlatform(access, IMAGE, 'the Containerfile', 'arm64')).toEqual({
    reference: IMAGE,
    digest,
    ...(found !== null && { manifest: found }),
  });
});

it.each<[string, object, string]>([
  ['an index without it', index(entry('amd64'), entry('unknown', 'unknown')), 'linux/amd64'],
  ['an image for another', manifest('amd64'), 'linux/amd64'],
  ['an empty index', index(), 'no platform'],
])('says what there is instead: %s', async (_, document, there) => {
  const { access } = registryWith(document);
  await expect(findForPlatform(access, IMAGE, 'the Containerfile', 'arm64')).rejects.toMatchObject({
    failure: { kind: 'platform-missing' },
    message: `${IMAGE}, named by the Containerfile, is for ${there}, not for linux/arm64`,
  });
});

it('reads nothing where the digest is the same as before', async () => {
  const { access, asked, digest } = registryWith(index(entry('arm64')));
  const known = { reference: IMAGE, digest, manifest: digestOf('what it was') };
  expect(await findForPlatform(access, IMAGE, 'the Containerfile', 'arm64', known)).toEqual(known);
  expect(asked).toEqual([]);
  const other = { ...known, reference: 'quay.io/acme/other:1' };
  expect(await findForPlatform(access, IMAGE, 'the Containerfile', 'arm64', other)).toMatchObject({ digest });
  expect(asked).toEqual(['1']);
});
