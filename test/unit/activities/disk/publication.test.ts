import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { publishedName } from '../../../../activities/disk/file.ts';
import { keepFile } from '../../../../activities/disk/keep-file.ts';
import { preparePublication, publicationLayout } from '../../../../activities/disk/publication.ts';
import type { DiskType } from '../../../../model/spec/disk.ts';
import { sha256 } from '../../../../model/base/digest.ts';
import type { RequestedDisk } from '../../../../model/spec/request.ts';
import { temporaryHost } from '../../../support/host.ts';

let host: Awaited<ReturnType<typeof temporaryHost>>;
let directory: string;
let path: string;
beforeEach(async () => {
  host = await temporaryHost();
  directory = host.work.release('release/r.example/os:1');
  await mkdir(join(directory, 'output'), { recursive: true });
  path = join(directory, 'output', 'disk.qcow2');
  await writeFile(path, 'a disk');
});
afterEach(() => host.remove());

const wanted = (disk: Partial<RequestedDisk> = {}) => ({
  disk: {
    type: 'qcow2',
    publish: 'artifact',
    compress: 'none',
    repository: 'r.example/os/disk',
    ...disk,
  } as RequestedDisk,
  file: { path, size: 6 },
});
const note = () => join(directory, 'publish-qcow2.json');

describe('preparePublication', () => {
  it('is the same the second time, without reading the disk', async () => {
    const first = await preparePublication(wanted(), directory);
    expect(first.file.sha256).toBe(sha256('a disk'));
    const planted = JSON.stringify({ ...first, file: { ...first.file, sha256: 'f'.repeat(64) } });
    await writeFile(note(), planted);
    expect((await preparePublication(wanted(), directory)).file.sha256).toBe('f'.repeat(64));
  });

  it.each<[string, () => Promise<void>]>([
    ['a damaged note', () => writeFile(note(), '{"version":1')],
    ['a note of another version', () => writeFile(note(), '{"version":2}')],
    ['a disk that was written to', () => utimes(path, 1, 1)],
  ])('begins anew after %s', async (_, spoil) => {
    const first = await preparePublication(wanted(), directory);
    await writeFile(note(), JSON.stringify({ ...first, file: { ...first.file, sha256: 'f'.repeat(64) } }));
    await spoil();
    expect((await preparePublication(wanted(), directory)).file.sha256).toBe(sha256('a disk'));
  });

  it('begins anew for another form or compression', async () => {
    await preparePublication(wanted(), directory);
    const compressed = await preparePublication(wanted({ compress: 'gzip' }), directory);
    expect(compressed.file.path).toBe(join(directory, 'publish-qcow2', 'disk.qcow2.gz'));
    expect(compressed.file.sha256).toBe(sha256(await readFile(compressed.file.path)));
    const disk = await preparePublication(wanted({ publish: 'container-disk' }), directory);
    expect(disk.file.path).toBe(path);
    expect(disk.layer!.sha256).toBe(sha256(await readFile(disk.layer!.path)));
  });

  it('makes the layer again when it is gone', async () => {
    const container = wanted({ publish: 'container-disk' });
    const first = await preparePublication(container, directory);
    await rm(first.layer!.path);
    const again = await preparePublication(container, directory);
    expect(again.layer!.sha256).toBe(first.layer!.sha256);
    expect((await stat(again.layer!.path)).size).toBe(again.layer!.size);
  });

  it('refuses a container disk of a type that KubeVirt does not take', async () => {
    await expect(
      preparePublication(wanted({ type: 'vmdk', publish: 'container-disk' }), directory),
    ).rejects.toMatchObject({ failure: { kind: 'invalid-input' } });
  });
});

describe('publicationLayout', () => {
  it.each<[Partial<RequestedDisk>, string, string]>([
    [{}, 'application/vnd.diskimage.qcow2', 'disk.qcow2'],
    [{ compress: 'gzip' }, 'application/vnd.diskimage.qcow2.gzip', 'disk.qcow2.gz'],
  ])('%j', async (change, type, title) => {
    const { disk } = wanted(change);
    const publication = await preparePublication(wanted(change), directory);
    const { layout, blob } = publicationLayout(publication, { disk, architecture: 'arm64' })!;
    const manifest = layout.documents.at(-2)!;
    expect(JSON.parse(new TextDecoder().decode(manifest.bytes))).toMatchObject({
      artifactType: type,
      layers: [{ mediaType: type, digest: blob.digest, annotations: { 'org.opencontainers.image.title': title } }],
    });
    expect(JSON.parse(new TextDecoder().decode(layout.documents.at(-1)!.bytes))).toMatchObject({
      manifests: [{ platform: { architecture: 'arm64', os: 'linux' }, artifactType: type }],
    });
  });

  it('is the entry of an index that is made of all platforms, where there are several', async () => {
    const { disk } = wanted({});
    const publication = await preparePublication(wanted({}), directory);
    const { layout } = publicationLayout(publication, { disk, architecture: 'arm64', platform: 'arm64' })!;
    const whole = publicationLayout(publication, { disk, architecture: 'arm64' })!.layout;
    expect(layout.root).toEqual(whole.documents.at(-2)!.descriptor);
  });

  it('is nothing for a disk that is not published', async () => {
    const publication = await preparePublication(wanted({ publish: 'none' }), directory);
    expect(publicationLayout(publication, { ...wanted({ publish: 'none' }), architecture: 'amd64' })).toBeNull();
  });
});

describe('names', () => {
  it.each<[DiskType, string, string]>([
    ['qcow2', 'disk.qcow2', 'disk.qcow2'],
    ['raw', 'disk.raw.gz', 'disk.raw.gz'],
    ['ami', 'disk.raw.gz', 'ami-disk.raw.gz'],
    ['iso', 'install.iso', 'install.iso'],
    ['anaconda-iso', 'install.iso', 'anaconda-iso-install.iso'],
    ['gce', 'image.tar.gz', 'gce-image.tar.gz'],
  ])('a kept %s from %s is %s', async (type, file, name) => {
    const made = join(directory, file);
    await writeFile(made, 'a disk');
    const kept = join(directory, 'kept');
    expect(await keepFile(kept, { type }, { path: made, size: 6, sha256: sha256('a disk') })).toBe(join(kept, name));
  });

  it('a kept file of one platform of several is named after it', async () => {
    const made = join(directory, 'disk.qcow2');
    await writeFile(made, 'a disk');
    const file = { path: made, size: 6, sha256: sha256('a disk') };
    const kept = join(directory, 'kept');
    expect(await keepFile(kept, { type: 'qcow2', platform: 'arm64' }, file)).toBe(join(kept, 'arm64-disk.qcow2'));
  });

  it('tells the compression', () => {
    expect([
      publishedName('/x/disk.raw', 'none'),
      publishedName('/x/disk.raw', 'gzip'),
      publishedName('/x/disk.raw', 'zstd'),
    ]).toEqual(['disk.raw', 'disk.raw.gz', 'disk.raw.zst']);
  });
});

describe('keepFile', () => {
  it('copies where it cannot link', async () => {
    // /dev/shm is a file system of its own wherever Linux has it.
    const elsewhere = join('/dev/shm', `flightline-kept-${process.pid}`, 'deep');
    try {
      const file = { path, size: 6, sha256: sha256('a disk') };
      expect(await keepFile(elsewhere, { type: 'qcow2' }, file)).toBe(join(elsewhere, 'disk.qcow2'));
      expect(await readFile(join(elsewhere, 'disk.qcow2'), 'utf8')).toBe('a disk');
      expect(await keepFile(elsewhere, { type: 'qcow2' }, file)).toBe(join(elsewhere, 'disk.qcow2'));
      await writeFile(join(elsewhere, 'disk.qcow2'), 'edited');
      await expect(keepFile(elsewhere, { type: 'qcow2' }, file)).rejects.toMatchObject({
        failure: { kind: 'host-setup' },
      });
    } finally {
      await rm(join('/dev/shm', `flightline-kept-${process.pid}`), { recursive: true, force: true });
    }
  });

  it('says why a directory cannot be used', async () => {
    await expect(keepFile(path, { type: 'qcow2' }, { path, size: 6, sha256: '' })).rejects.toMatchObject({
      failure: { kind: 'host-setup', message: expect.stringContaining(path) as string },
    });
  });
});
