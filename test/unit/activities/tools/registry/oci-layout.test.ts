import { link, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestFile, layoutBlobPath, writeLayout } from '../../../../../activities/tools/registry/oci-layout.ts';
import { sha256 } from '../../../../../model/base/digest.ts';
import {
  blobArtifact,
  containerDisk,
  diskArtifact,
  EMPTY_CONFIG,
  layoutIndex,
  manifestKind,
  parseManifest,
  type Document,
} from '../../../../../model/oci/manifest.ts';

const text = (document: Document | undefined) => new TextDecoder().decode(document?.bytes);
const json = (document: Document | undefined) => JSON.parse(text(document)) as unknown;
const DIGEST = `sha256:${'b5'.repeat(32)}`;

describe('documents', () => {
  test('of a disk artifact are those that podman 5.4 pushed for such a file', () => {
    const blob = { mediaType: 'application/x-cd-image', digest: DIGEST, size: 100_000, title: 'disk.iso' };
    const layout = diskArtifact({ artifactType: 'application/vnd.diskimage.iso', architecture: 'amd64', blob });
    const [config, manifest, index] = layout.documents;
    expect(text(config)).toBe('{}');
    expect(config!.descriptor.digest).toBe('sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
    expect(text(manifest)).toBe(
      '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",' +
        '"artifactType":"application/vnd.diskimage.iso","config":{"mediaType":"application/vnd.oci.empty.v1+json",' +
        '"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30="},' +
        `"layers":[{"mediaType":"application/x-cd-image","digest":"${DIGEST}","size":100000,` +
        '"annotations":{"org.opencontainers.image.title":"disk.iso"}}]}',
    );
    expect(text(index)).toBe(
      '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",' +
        '"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",' +
        `"digest":"sha256:${sha256(manifest!.bytes)}","size":${manifest!.bytes.length},` +
        '"platform":{"architecture":"amd64","os":"linux"},"artifactType":"application/vnd.diskimage.iso"}]}',
    );
    expect(layout.root).toEqual({
      mediaType: 'application/vnd.oci.image.index.v1+json',
      digest: `sha256:${sha256(index!.bytes)}`,
      size: index!.bytes.length,
    });
  });

  test('of an artifact hold its annotations in order and no title that was not given', () => {
    const blob = { mediaType: 'text/plain', digest: DIGEST, size: 1 };
    const { documents, root } = blobArtifact({ artifactType: 'text/plain', blob, annotations: { b: '2', a: '1' } });
    expect(json(documents[1])).toMatchObject({ layers: [blob], annotations: { a: '1', b: '2' } });
    expect(text(documents[1])).toContain('{"a":"1","b":"2"}');
    expect(text(documents[1])).not.toContain('title');
    expect(root).toEqual(documents[1]!.descriptor);
  });

  test('of a container disk are an image of one plain tar', () => {
    const layer = { digest: DIGEST, size: 5 };
    const plain = containerDisk({ layer, architecture: 'arm64' });
    expect(plain).toEqual(containerDisk({ layer, architecture: 'arm64' }));
    const [config, manifest] = plain.documents;
    expect(json(config)).toMatchObject({
      architecture: 'arm64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [DIGEST] },
    });
    expect(json(manifest)).toMatchObject({
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config!.descriptor.digest },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
    });
    const labelled = containerDisk({
      layer,
      architecture: 'arm64',
      created: '2026-01-01T00:00:00Z',
      labels: { x: 'y' },
    });
    expect(json(labelled.documents[0])).toMatchObject({
      created: '2026-01-01T00:00:00Z',
      config: { Labels: { x: 'y' } },
    });
  });
});

describe('reading', () => {
  const kindOf = (value: unknown) => manifestKind(parseManifest(new TextEncoder().encode(JSON.stringify(value)))!);
  const entry = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: DIGEST, size: 1 };
  const image = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: DIGEST, size: 1 };

  test.each([
    ['image', { schemaVersion: 2, config: image, layers: [] }, 'image', null],
    [
      'docker image',
      { schemaVersion: 2, config: { ...image, mediaType: 'application/vnd.docker.container.image.v1+json' } },
      'image',
      null,
    ],
    ['artifact', { schemaVersion: 2, artifactType: 'a/b', config: image }, 'artifact', 'a/b'],
    ['old artifact', { schemaVersion: 2, config: { ...image, mediaType: 'a/config' } }, 'artifact', 'a/config'],
    ['index of images', { schemaVersion: 2, manifests: [entry] }, 'index', null],
    ['index of artifacts', { schemaVersion: 2, manifests: [{ ...entry, artifactType: 'a/b' }] }, 'artifact', 'a/b'],
    ['mixed index', { schemaVersion: 2, manifests: [entry, { ...entry, artifactType: 'a/b' }] }, 'index', null],
  ])('tells an %s', (_, value, kind, artifactType) => {
    expect(kindOf(value)).toEqual({ kind, artifactType });
  });

  test.each(['', 'null', '{}', '{"schemaVersion":1}', '{"schemaVersion":2,"layers":[{"digest":1}]}', '\xff'])(
    'takes %j for no manifest',
    (bytes) => {
      expect(parseManifest(Buffer.from(bytes, 'latin1'))).toBeUndefined();
    },
  );
});

describe('a layout directory', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flightline-layout-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('links the blob instead of copying it, and replaces what was there', async () => {
    const file = join(directory, 'disk');
    await writeFile(file, 'disk');
    const { digest, size } = await digestFile(file);
    expect({ digest, size }).toEqual({ digest: `sha256:${sha256('disk')}`, size: 4 });
    const layout = blobArtifact({ artifactType: 'a/b', blob: { mediaType: 'a/b', digest, size } });
    const target = join(directory, 'layout');
    await writeLayout(target, layout, [{ digest, bytes: Buffer.from('old') }]);
    await writeLayout(target, layout, [{ digest, path: file }]);
    expect((await stat(layoutBlobPath(target, digest))).ino).toBe((await stat(file)).ino);
    expect(await readFile(join(target, 'oci-layout'), 'utf8')).toBe('{"imageLayoutVersion":"1.0.0"}');
    expect(await readFile(join(target, 'index.json'))).toEqual(Buffer.from(layoutIndex(layout.root).bytes));
    for (const { descriptor, bytes } of [EMPTY_CONFIG, ...layout.documents]) {
      expect(await readFile(layoutBlobPath(target, descriptor.digest))).toEqual(Buffer.from(bytes));
    }
    // The source may be linked elsewhere already.
    await link(file, join(directory, 'kept'));
    await writeLayout(target, layout, [{ digest, path: join(directory, 'kept') }]);
    expect((await stat(file)).nlink).toBe(3);
  });
});
