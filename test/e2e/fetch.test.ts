/** `flightline fetch` against a real registry: what is written, what is refused, and what is asked for again. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../model/base/digest.ts';
import { containerDisk, diskArtifact } from '../../model/oci/manifest.ts';
import { runFlightline } from '../support/flightline.ts';
import { startOwnRegistry, type OwnRegistry } from '../support/own-registry.ts';
import { putLayout, signerWith, type Signer } from './published-release.ts';

/** More than two pieces, of which the first has 4 MiB. */
const DISK = randomBytes(14 * 1024 ** 2);
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let directory: string;
let registry: OwnRegistry;
let output: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-fetch-test-'));
  await writeFile(join(directory, 'key.pub'), own.publicKey.export({ type: 'spki', format: 'pem' }));
  registry = await startOwnRegistry();
});
afterAll(async () => {
  await registry?.stop();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  output = await mkdtemp(join(directory, 'output-'));
});

/** Publishes a disk artifact for `image`. @returns its digest */
async function publishArtifact(image: string, type: string, sign: Signer, title = `disk.${type}`): Promise<string> {
  const repository = `${image}/diskimage-${type}`;
  const artifactType = `application/vnd.diskimage.${type}`;
  const blob = { mediaType: artifactType, digest: `sha256:${sha256(DISK)}`, size: DISK.length, title };
  const layout = diskArtifact({ artifactType, architecture: 'amd64', blob });
  const digest = await putLayout(repository, layout, DISK, 'v1');
  for (const { descriptor } of layout.documents.slice(1)) await sign(repository, descriptor.digest, ['v1']);
  return digest;
}

/** Publishes a container disk whose layer is made of files, by their paths. */
async function publishContainerDisk(repository: string, files: Record<string, Buffer>): Promise<string> {
  const root = await mkdtemp(join(directory, 'layer-'));
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), bytes);
  }
  await execa('tar', ['--create', '--file', join(root, '../layer.tar'), `--directory=${root}`, '.']);
  const bytes = await readFile(join(root, '../layer.tar'));
  const layer = { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  const digest = await putLayout(repository, containerDisk({ architecture: 'amd64', layer }), bytes, 'v1');
  await signerWith(own.privateKey)(repository, digest, ['v1']);
  return digest;
}

const fetchDisk = (...args: string[]) =>
  runFlightline(['fetch', ...args, '--output', output, '--json'], {
    environment: { FLIGHTLINE_PUBLIC_KEY: join(directory, 'key.pub') },
  });

/** Ranges of a blob that were asked for. */
async function answersFor(digest: string): Promise<string[]> {
  const lines = (await readFile(registry.log, 'utf8')).split('\n');
  return lines.flatMap((line) => /"GET \S+ HTTP\/1.1" (\d+) (\d+)/.exec(line.includes(digest) ? line : '')?.[2] ?? []);
}

const name = (): string => `${registry.address}/acme/os-${randomBytes(4).toString('hex')}`;

describe('an artifact', () => {
  it('is fetched by the name of its image and its type, each byte once', async () => {
    const image = name();
    const digest = await publishArtifact(image, 'qcow2', signerWith(own.privateKey));
    const { exitCode, stdout, stderr } = await fetchDisk(`${image}:v1`, '--type', 'qcow2');
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    const path = join(output, 'disk.qcow2');
    expect(JSON.parse(stdout)).toEqual({
      reference: `${image}/diskimage-qcow2:v1`,
      verified: true,
      digest,
      form: 'artifact',
      path,
      size: DISK.length,
      sha256: sha256(DISK),
    });
    expect((await readFile(path)).equals(DISK)).toBe(true);
    expect(await readdir(output)).toEqual(['disk.qcow2']);
    const parts = (await answersFor(sha256(DISK))).map(Number);
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(DISK.length);
  });

  it('that was fetched in part is not fetched from the beginning', async () => {
    const image = name();
    const digest = await publishArtifact(image, 'raw', signerWith(own.privateKey));
    const blobs = join(output, `.flightline-fetch-${digest.slice(7, 19)}`, 'blobs/sha256');
    await mkdir(blobs, { recursive: true });
    const part = join(blobs, `${sha256(DISK)}.part`);
    await writeFile(part, DISK);
    await truncate(part, 13 * 1024 ** 2);
    const before = (await answersFor(sha256(DISK))).length;
    expect((await fetchDisk(`${image}/diskimage-raw:v1`)).exitCode).toBe(0);
    expect((await readFile(join(output, 'disk.raw'))).equals(DISK)).toBe(true);
    expect((await answersFor(sha256(DISK))).slice(before)).toEqual([String(1024 ** 2)]);
  });

  it.each([
    ['part', '.part'],
    ['whole', ''],
  ])('whose %s on this machine is damaged is refused, and fetched anew the next time', async (_what, ending) => {
    const image = name();
    const digest = await publishArtifact(image, 'raw', signerWith(own.privateKey));
    const blobs = join(output, `.flightline-fetch-${digest.slice(7, 19)}`, 'blobs/sha256');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, `${sha256(DISK)}${ending}`), Buffer.alloc(DISK.length));
    const damaged = await fetchDisk(`${image}/diskimage-raw:v1`);
    expect(damaged.exitCode).toBe(1);
    expect(damaged.stdout).toContain('arrived damaged');
    expect((await fetchDisk(`${image}/diskimage-raw:v1`)).exitCode).toBe(0);
    expect((await readFile(join(output, 'disk.raw'))).equals(DISK)).toBe(true);
  });

  it('that another key signed is refused before any of it is on its way', async () => {
    const image = name();
    await publishArtifact(image, 'qcow2', signerWith(foreign.privateKey));
    const before = (await answersFor(sha256(DISK))).length;
    const { exitCode, stdout } = await fetchDisk(`${image}:v1`, '--type', 'qcow2');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { kind: 'signature-rejected' } });
    expect((await answersFor(sha256(DISK))).length).toBe(before);
    expect(await readdir(output)).toEqual([]);
  });

  it('that is signed for another name is refused as a device refuses it', async () => {
    const image = name();
    const sign = signerWith(own.privateKey);
    await publishArtifact(image, 'qcow2', (repository, digest) => sign(repository, digest, ['v2']));
    const { exitCode, stdout } = await fetchDisk(`${image}:v1`, '--type', 'qcow2');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { kind: 'signature-rejected' } });
    expect(await readdir(output)).not.toContain('disk.qcow2');
  });

  it.each(['../../escaped', '.hidden'])('whose file is called %s is written as "disk"', async (title) => {
    const image = name();
    await publishArtifact(image, 'qcow2', signerWith(own.privateKey), title);
    expect((await fetchDisk(`${image}:v1`, '--type', 'qcow2')).exitCode).toBe(0);
    expect(await readdir(output)).toEqual(['disk']);
  });

  it('does not go over a file that is there', async () => {
    const image = name();
    await publishArtifact(image, 'qcow2', signerWith(own.privateKey));
    await writeFile(join(output, 'disk.qcow2'), 'mine');
    const { exitCode, stdout } = await fetchDisk(`${image}:v1`, '--type', 'qcow2');
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { kind: 'file-exists' } });
    expect(await readFile(join(output, 'disk.qcow2'), 'utf8')).toBe('mine');
  });
});

describe('a container disk', () => {
  it('is unpacked', async () => {
    const repository = `${name()}/diskimage-qcow2`;
    const digest = await publishContainerDisk(repository, { 'disk/edge.qcow2': DISK });
    const { exitCode, stdout } = await fetchDisk(`${repository}:v1`);
    expect(exitCode).toBe(0);
    const path = join(output, 'edge.qcow2');
    expect(JSON.parse(stdout)).toMatchObject({ digest, form: 'container-disk', path, sha256: sha256(DISK) });
    expect((await readFile(path)).equals(DISK)).toBe(true);
    expect(await readdir(output)).toEqual(['edge.qcow2']);
  });

  it.each([
    ['an image', { 'etc/os-release': Buffer.from('ID=test') }],
    ['two disks', { 'disk/a': Buffer.from('a'), 'disk/b': Buffer.from('b') }],
  ])('is not what has %s', async (_what, files) => {
    const repository = name();
    await publishContainerDisk(repository, files);
    const { exitCode, stdout } = await fetchDisk(`${repository}:v1`);
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { kind: 'not-a-disk' } });
  });
});

it('says what is not there', async () => {
  const { exitCode, stdout } = await fetchDisk(`${name()}:v1`, '--type', 'qcow2');
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ error: { kind: 'image-not-found' } });
});
