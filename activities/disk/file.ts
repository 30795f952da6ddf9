/** Makes the file of a disk that is published: compresses it if requested, and hashes it in the same pass. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, mkdir, rename } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import tar from 'tar-stream';
import type { Compression } from '../../model/spec/disk.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { currentTask } from '../tools/process/task.ts';
import { CommandError, runCommand } from '../tools/process/command.ts';
import { digestFile } from '../tools/registry/oci-layout.ts';

/** Bytes read at once. */
const CHUNK = 1024 * 1024;
/** Compression levels: the programs' own defaults. */
const GZIP_LEVEL = 6;
const ZSTD_LEVEL = 3;

/** The user and group of QEMU in KubeVirt, and the mode that it needs (KubeVirt user guide, "containerDisk"). */
const QEMU_USER = 107;
const CONTAINER_DISK_MODE = 0o440;

/** Path, bytes and hexadecimal sha256 of a file. */
export interface HashedFile {
  path: string;
  size: number;
  sha256: string;
}

/** File name of a disk as published: `disk.raw`, `disk.raw.gz`, `disk.raw.zst`. */
export function publishedName(path: string, compress: Compression): string {
  return basename(path) + { none: '', gzip: '.gz', zstd: '.zst' }[compress];
}

/** Hashes a file in place. */
export async function hashFile(path: string): Promise<HashedFile> {
  currentTask()?.report({ step: `hashing ${basename(path)}` });
  const { digest, size } = await digestFile(path);
  return { path, size, sha256: digest.replace(/^sha256:/, '') };
}

/** Compresses a file into another. Equal input gives equal output: gzip's header has no name and the time 0. */
export async function compressFile(
  source: string,
  target: string,
  compress: Exclude<Compression, 'none'>,
): Promise<HashedFile> {
  const stage = currentTask();
  stage?.report({ step: `compressing ${basename(source)}` });
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const draft = `${target}.partial`;
  if (compress === 'zstd') {
    await runZstd(source, draft);
    await rename(draft, target);
    return hashFile(target);
  }
  const { size: total } = await lstat(source);
  const hash = createHash('sha256');
  const meter = { size: 0 };
  await run(
    createReadStream(source, { highWaterMark: CHUNK }),
    progress(total),
    createGzip({ level: GZIP_LEVEL, chunkSize: CHUNK }),
    hashing(hash, meter),
    createWriteStream(draft, { mode: 0o644, flush: true }),
  );
  await rename(draft, target);
  return { path: target, size: meter.size, sha256: hash.digest('hex') };
}

/**
 * Writes the layer of a container disk: `/disk/<file name>`, owned by QEMU's user and read-only, like the result of the
 * guide's two-stage build. It is not compressed, since KubeVirt does not ask for it and a qcow2 may be compressed
 * already.
 */
export async function writeContainerDiskLayer(
  source: string,
  target: string,
): Promise<{ file: HashedFile; layer: HashedFile }> {
  currentTask()?.report({ step: `packing ${basename(source)}` });
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const draft = `${target}.partial`;
  const { size } = await lstat(source);
  const fileHash = createHash('sha256');
  const layerHash = createHash('sha256');
  const meter = { size: 0 };
  const pack = tar.pack();
  const writing = run(pack, hashing(layerHash, meter), createWriteStream(draft, { mode: 0o600, flush: true }));
  // `writing` reports a failure of the tar. It must not end the process while the file is still being read.
  writing.catch(() => undefined);
  const mtime = new Date(0);
  try {
    pack.entry({ name: 'disk/', type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime });
    const owner = { uid: QEMU_USER, gid: QEMU_USER };
    const entry = pack.entry({
      name: `disk/${basename(source)}`,
      type: 'file',
      mode: CONTAINER_DISK_MODE,
      ...owner,
      mtime,
      size,
    });
    await run(createReadStream(source, { highWaterMark: CHUNK }), progress(size), hashing(fileHash), entry);
    pack.finalize();
  } catch (error) {
    pack.destroy(error as Error);
    await writing.catch(() => undefined);
    throw error;
  }
  await writing;
  await rename(draft, target);
  return {
    file: { path: source, size, sha256: fileHash.digest('hex') },
    layer: { path: target, size: meter.size, sha256: layerHash.digest('hex') },
  };
}

/** A pipeline that ends when the stage is cancelled. */
async function run(
  ...streams: (NodeJS.ReadableStream | NodeJS.WritableStream | AsyncIterable<unknown>)[]
): Promise<void> {
  const signal = currentTask()?.signal;
  await pipeline(streams as NodeJS.ReadWriteStream[], { signal });
}

/** Passes bytes on, and hashes and counts them. */
function hashing(hash: Hash, meter: { size: number } = { size: 0 }): Transform {
  return new Transform({
    highWaterMark: CHUNK,
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      meter.size += chunk.length;
      done(null, chunk);
    },
  });
}

/** Passes bytes on, and reports how many of the total have passed. */
function progress(total: number): Transform {
  const stage = currentTask();
  if (!stage) return new PassThrough();
  let done = 0;
  return new Transform({
    highWaterMark: CHUNK,
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length;
      stage.report({ done, total });
      next(null, chunk);
    },
  });
}

async function runZstd(source: string, target: string): Promise<void> {
  try {
    // `-f` replaces what an interrupted attempt left. One thread gives the same bytes on every machine.
    await runCommand('zstd', ['--quiet', '--force', '--single-thread', `-${ZSTD_LEVEL}`, '-o', target, '--', source]);
  } catch (error) {
    if (error instanceof CommandError && error.notFound) {
      throw new FlightlineError('host-setup', 'zstd is not installed, and a disk asks for `compress: zstd`', {
        remedy: 'install the program zstd on the build host',
      });
    }
    throw error;
  }
}
