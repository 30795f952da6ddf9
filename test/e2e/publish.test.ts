/** The publish activity with real podman, skopeo and registry; no Temporal server is needed. */
import { offeredOn } from '../../activities/index.ts';
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import tar from 'tar-stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PublishInput } from '../../model/contract/disk.ts';
import { sha256 } from '../../model/base/digest.ts';
import type { RequestedDisk } from '../../model/spec/request.ts';
import { timingWith } from '../../model/base/timing.ts';
import { runActivity, startActivity } from '../support/activity.ts';
import { temporaryHost } from '../support/host.ts';
import { startOwnRegistry, type OwnRegistry } from '../support/own-registry.ts';
import { blobOf, digestOf, manifestOf, tagsOf } from '../support/registry.ts';
import { usePrivateContainersConf } from '../support/tools.ts';
import { eventually } from '../support/wait.ts';

const MiB = 1024 ** 2;

let registry: OwnRegistry;
let restore: () => Promise<void>;
beforeAll(async () => {
  restore = await usePrivateContainersConf();
  registry = await startOwnRegistry();
});
afterAll(async () => {
  await registry?.stop();
  await restore?.();
});

let host: Awaited<ReturnType<typeof temporaryHost>>;
let kept: string;
beforeEach(async () => {
  host = await temporaryHost();
  kept = await mkdtemp(join(tmpdir(), 'flightline-kept-'));
});
afterEach(async () => {
  await host.remove();
  await rm(kept, { recursive: true, force: true });
});

/** A file as the builder would leave it, and the input that publishes it. */
async function built(
  name: string,
  disk: Omit<RequestedDisk, 'repository'>,
  more: Partial<PublishInput> = {},
  bytes: Buffer = Buffer.concat([randomBytes(MiB), Buffer.alloc(2 * MiB)]),
): Promise<PublishInput> {
  const release = `release/${registry.address}/os-${randomBytes(4).toString('hex')}:1`;
  const directory = join(host.work.release(release), 'output');
  await mkdir(directory, { recursive: true });
  const path = join(directory, name);
  await writeFile(path, bytes);
  await chmod(path, 0o644);
  const repository = release.replace('release/', '').replace(/:1$/, '');
  return {
    release,
    runId: 'run',
    branch: 'qcow2',
    disk: { ...disk, repository: `${repository}/diskimage-${disk.type}` },
    file: { path, size: bytes.length },
    inputs: `sha256:${'1'.repeat(64)}`,
    image: { repository, tag: '1', digest: `sha256:${'2'.repeat(64)}` },
    architecture: 'amd64',
    keepFiles: null,
    timing: timingWith(),
    ...more,
  };
}

const published = async (input: PublishInput) => runActivity((await offeredOn('transfer', host)).publish, input);

/** Requests of the registry's log that write to a repository. */
async function writesTo(repository: string): Promise<string[]> {
  const path = repository.slice(repository.indexOf('/') + 1);
  const lines = (await readFile(registry.log, 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const match = /"(POST|PUT|PATCH) (\/v2\/\S+)/.exec(line);
    return match && match[2]!.startsWith(`/v2/${path}/`) ? [`${match[1]} ${match[2]}`] : [];
  });
}

describe('an artifact', () => {
  it.each([
    ['qcow2', 'disk.qcow2'],
    ['vmdk', 'disk.vmdk'],
    ['iso', 'install.iso'],
  ] as const)('of %s is what podman manifest add --artifact would have pushed', async (type, name) => {
    const input = await built(name, { type, publish: 'artifact', compress: 'none' });
    const { result, heartbeats } = await published(input);
    const bytes = await readFile(input.file.path);
    expect(result.file).toEqual({ size: bytes.length, sha256: sha256(bytes), host: 'host-a', path: null });
    expect(heartbeats[0]).toEqual({ stage: 'publish' });

    const { repository } = input.disk;
    expect(await digestOf(`${repository}@${result.digest}`)).toBe(result.digest);
    expect((await blobOf(repository, `sha256:${sha256(bytes)}`)).equals(bytes)).toBe(true);
    // The same by the guide's commands.
    const list = `localhost/flightline-test-${randomBytes(4).toString('hex')}:1`;
    const artifactType = `application/vnd.diskimage.${type}`;
    const theirs = join(host.work.path, 'theirs');
    try {
      await execa('podman', ['manifest', 'create', list]);
      const types = ['--artifact-type', artifactType, '--artifact-layer-type', artifactType];
      const platform = ['--arch=amd64', '--os=linux'];
      await execa('podman', ['manifest', 'add', '--artifact', ...types, ...platform, list, input.file.path]);
      await execa('podman', ['manifest', 'push', '--all', list, `dir:${theirs}`]);
    } finally {
      await execa('podman', ['manifest', 'rm', list], { reject: false });
    }
    const index = await readFile(join(theirs, 'manifest.json'));
    expect(`sha256:${sha256(index)}`).toBe(result.digest);
    expect(await manifestOf(`${repository}@${result.digest}`)).toEqual(JSON.parse(index.toString()));
  });

  it('costs no bytes for its blob, and no tag', async () => {
    const input = await built('disk.qcow2', { type: 'qcow2', publish: 'artifact', compress: 'none' });
    const { result } = await published(input);
    expect((await stat(input.file.path)).nlink).toBe(2);
    expect(await tagsOf(input.disk.repository)).toEqual([]);
    expect(result.digest).toMatch(/^sha256:/);
  });

  it('is compressed if so asked, the same bytes each time', async () => {
    const bytes = Buffer.concat([randomBytes(MiB), Buffer.alloc(3 * MiB)]);
    const disk = { type: 'raw', publish: 'artifact', compress: 'gzip' } as const;
    const input = await built('disk.raw', disk, { keepFiles: kept }, bytes);
    const { result } = await published(input);
    expect(result.file.path).toBe(join(kept, 'disk.raw.gz'));
    const file = await readFile(result.file.path!);
    expect([file.length, sha256(file)]).toEqual([result.file.size, result.file.sha256]);
    expect(gunzipSync(file).equals(bytes)).toBe(true);
    const index = (await manifestOf(`${input.disk.repository}@${result.digest}`)) as unknown as {
      manifests: { artifactType: string; digest: string }[];
    };
    expect(index.manifests[0]!.artifactType).toBe('application/vnd.diskimage.raw.gzip');
    const manifest = await manifestOf(`${input.disk.repository}@${index.manifests[0]!.digest}`);
    expect(manifest).toMatchObject({
      layers: [{ annotations: { 'org.opencontainers.image.title': 'disk.raw.gz' }, size: file.length }],
    });
    const again = await published(await built('disk.raw', disk, {}, bytes));
    expect(again.result.digest).toBe(result.digest);
  });

  it('is compressed by zstd if so asked', async () => {
    const bytes = Buffer.concat([randomBytes(MiB), Buffer.alloc(3 * MiB)]);
    const input = await built(
      'disk.raw',
      { type: 'raw', publish: 'artifact', compress: 'zstd' },
      { keepFiles: kept },
      bytes,
    );
    const { result } = await published(input);
    const { stdout } = await execa('zstd', ['-dc', join(kept, 'disk.raw.zst')], { encoding: 'buffer' });
    expect(bytes.equals(stdout)).toBe(true);
    expect(result.file.size).toBeLessThan(2 * MiB);
  });

  it('that is in the registry is adopted, without a byte sent or hashed again', async () => {
    const input = await built('disk.qcow2', { type: 'qcow2', publish: 'artifact', compress: 'none' });
    const first = await published(input);
    const before = await eventually('the log tells of the push', async () => {
      const writes = await writesTo(input.disk.repository);
      return writes.some((line) => line.endsWith(`/manifests/${first.result.digest}`)) ? writes : undefined;
    });
    expect(before.length).toBeGreaterThan(3);
    const note = join(host.work.release(input.release), 'publish-qcow2.json');
    const written = (await stat(note)).mtimeMs;
    const second = await published(input);
    expect(second.result).toEqual(first.result);
    expect(await writesTo(input.disk.repository)).toEqual(before);
    expect((await stat(note)).mtimeMs).toBe(written);
  });

  it('that the registry lost is sent again', async () => {
    const input = await built('disk.qcow2', { type: 'qcow2', publish: 'artifact', compress: 'none' });
    const { result } = await published(input);
    const { repository } = input.disk;
    const path = repository.slice(repository.indexOf('/') + 1);
    await fetch(`http://${registry.address}/v2/${path}/manifests/${result.digest}`, { method: 'DELETE' });
    expect(await digestOf(`${repository}@${result.digest}`)).toBeNull();
    expect((await published(input)).result.digest).toBe(result.digest);
    expect(await digestOf(`${repository}@${result.digest}`)).toBe(result.digest);
  });
});

describe('a container disk', () => {
  it.each([
    ['qcow2', 'disk.qcow2'],
    ['raw', 'disk.raw'],
  ] as const)('of %s holds one file, owned and readable as KubeVirt wants it', async (type, name) => {
    const input = await built(name, { type, publish: 'container-disk', compress: 'none' });
    const { result } = await published(input);
    const bytes = await readFile(input.file.path);
    expect(result.file).toMatchObject({ size: bytes.length, sha256: sha256(bytes), path: null });

    const image = `${input.disk.repository}@${result.digest}`;
    try {
      await execa('podman', ['pull', '--quiet', '--tls-verify=false', image]);
      const { stdout } = await execa('podman', ['image', 'inspect', image]);
      expect(JSON.parse(stdout)).toMatchObject([{ Architecture: 'amd64', Os: 'linux' }]);
      const { stdout: mount } = await execa('podman', ['image', 'mount', image]);
      const { stdout: listing } = await execa('find', [mount, '-printf', '%P %y %U:%G %m %s\n']);
      expect(listing.split('\n').slice(1).sort()).toEqual([
        'disk d 0:0 755 4096',
        `disk/${name} f 107:107 440 ${bytes.length}`,
      ]);
      expect((await readFile(join(mount, 'disk', name))).equals(bytes)).toBe(true);
      await execa('podman', ['image', 'unmount', image]);
    } finally {
      await execa('podman', ['rmi', image], { reject: false });
    }
  });

  it("has one plain layer, with the entries that the guide's two-stage build makes", async () => {
    const input = await built('disk.qcow2', { type: 'qcow2', publish: 'container-disk', compress: 'none' });
    const { result } = await published(input);
    const manifest = (await manifestOf(`${input.disk.repository}@${result.digest}`)) as unknown as {
      layers: { digest: string; mediaType: string }[];
    };
    expect(manifest.layers.map((layer) => layer.mediaType)).toEqual(['application/vnd.oci.image.layer.v1.tar']);
    const entries: string[] = [];
    const extract = tar.extract();
    extract.on('entry', (header, stream, next) => {
      entries.push(
        `${header.type} ${header.name} ${header.uid}:${header.gid} ${header.mode!.toString(8)} ${header.size}`,
      );
      stream.on('end', next).resume();
    });
    const layer = join(host.work.release(input.release), 'publish-qcow2', 'layer.tar');
    await new Promise((resolve, reject) =>
      createReadStream(layer)
        .pipe(extract)
        .on('finish', () => resolve(undefined))
        .on('error', reject),
    );
    expect(entries).toEqual(['directory disk/ 0:0 755 0', `file disk/disk.qcow2 107:107 440 ${input.file.size}`]);
    expect(`sha256:${sha256(await readFile(layer))}`).toBe(manifest.layers[0]!.digest);
  });

  it('larger than 8 GiB is a tar that others read', async () => {
    // Only the header is looked at: the size no longer fits its octal field.
    const size = 9 * 1024 ** 3;
    const pack = tar.pack();
    pack.entry({ name: 'disk/disk.raw', size, mode: 0o440, uid: 107, gid: 107, mtime: new Date(0) });
    const header = await new Promise<Buffer>((resolve) => pack.once('data', (bytes) => resolve(bytes as Buffer)));
    const path = join(kept, 'big.tar');
    const file = await open(path, 'w');
    await file.write(header);
    await file.truncate(header.length + size + 1024);
    await file.close();
    pack.destroy();
    const { stdout } = await execa('tar', ['--numeric-owner', '-tvf', path]);
    expect(stdout).toMatch(new RegExp(`107/107 +${size} 1970-01-01`));
  });
});

describe('a disk that is not published', () => {
  it('is hashed, and left where it was asked for', async () => {
    const input = await built('disk.qcow2', { type: 'qcow2', publish: 'none', compress: 'none' }, { keepFiles: kept });
    const { result } = await published(input);
    expect(result).toMatchObject({
      digest: null,
      file: { size: input.file.size, path: join(kept, 'disk.qcow2') },
      log: { host: 'host-a', path: expect.stringMatching(/publish-qcow2\.log$/) as string },
    });
    expect((await stat(join(kept, 'disk.qcow2'))).ino).toBe((await stat(input.file.path)).ino);
    // Again: the file is there already.
    expect((await published(input)).result.file).toEqual(result.file);
  });

  it('never replaces another file', async () => {
    await writeFile(join(kept, 'disk.qcow2'), 'precious');
    const input = await built('disk.qcow2', { type: 'qcow2', publish: 'none', compress: 'none' }, { keepFiles: kept });
    await expect(published(input)).rejects.toMatchObject({
      type: 'host-setup',
      message: `${join(kept, 'disk.qcow2')} exists already and is another file`,
    });
    expect(await readFile(join(kept, 'disk.qcow2'), 'utf8')).toBe('precious');
  });
});

describe('what goes wrong', () => {
  it.each<[string, (path: string) => Promise<void>, RegExp]>([
    ['is gone', (path) => rm(path), /is gone/],
    ['has another size', (path) => writeFile(path, 'short'), /has 5 bytes, and \d+ were built/],
  ])('a file that %s is held', async (_, spoil, message) => {
    const input = await built('disk.qcow2', { type: 'qcow2', publish: 'artifact', compress: 'none' });
    await spoil(input.file.path);
    await expect(published(input)).rejects.toMatchObject({
      type: 'disk-vanished',
      nonRetryable: true,
      message: expect.stringMatching(message) as string,
    });
  });

  it('a file that was made anew is hashed anew', async () => {
    const input = await built('disk.qcow2', { type: 'qcow2', publish: 'artifact', compress: 'none' });
    const first = await published(input);
    const bytes = randomBytes(input.file.size);
    await rm(input.file.path);
    await writeFile(input.file.path, bytes);
    await utimes(input.file.path, 1, 1);
    const second = await published(input);
    expect(second.result.file.sha256).toBe(sha256(bytes));
    expect(second.result.digest).not.toBe(first.result.digest);
  });

  it('a registry that does not answer is tried again, and the failure names the log', async () => {
    const input = await built('disk.qcow2', { type: 'qcow2', publish: 'artifact', compress: 'none' });
    const nowhere = { ...input, disk: { ...input.disk, repository: '127.0.0.1:1/os/diskimage-qcow2' } };
    await expect(published(nowhere)).rejects.toMatchObject({
      type: 'registry',
      nonRetryable: false,
      details: [{ stage: 'publish', log: { host: 'host-a' } }],
    });
  });

  it('a cancelled compression ends soon, and the next attempt is complete', async () => {
    const bytes = Buffer.alloc(128 * MiB, randomBytes(4096));
    const input = await built('disk.raw', { type: 'raw', publish: 'none', compress: 'gzip' }, {}, bytes);
    const { result, cancel } = startActivity((await offeredOn('transfer', host)).publish, input);
    setTimeout(() => cancel('detach'), 200);
    await expect(result).rejects.toMatchObject({ name: 'CancelledFailure' });
    const { result: whole } = await published({ ...input, keepFiles: kept });
    expect(basename(whole.file.path!)).toBe('disk.raw.gz');
    expect(gunzipSync(await readFile(whole.file.path!)).equals(bytes)).toBe(true);
  });
});
