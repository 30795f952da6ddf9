/**
 * The file of a bundle: a tar of an OCI layout, with nothing in its headers that the contents do not decide. Whatever
 * byte of it is changed, it is not read.
 */
import { createHash, type Hash } from 'node:crypto';
import { once, type EventEmitter } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tar, { type Extract, type Header, type Pack } from 'tar-stream';
import { layoutBlobPath } from '../../activities/tools/registry/oci-layout.ts';
import { LAYOUT_FILE } from '../../model/oci/manifest.ts';
import { bundleIndexText, readBundleIndex, type BundleIndex } from '../../model/bundle/bundle.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';

type Source = Extract extends AsyncIterable<infer Entry> ? Entry : never;

const CHUNK = 1024 * 1024;
/** Bytes of `index.json`: some hundred for each root. */
const MAX_INDEX = 4 * 1024 * 1024;
const FIRST = ['oci-layout', 'index.json'];

/** A bundle that is not what was made. */
export function damaged(what: string): UserError {
  const remedy = 'nothing was written; get the bundle again from where it was made';
  return new UserError('bundle-damaged', `the bundle is damaged or was changed: ${what}`, remedy, EXIT.failed);
}

/** Headers without a time, an owner or a mode of their own. */
function header(name: string, size: number): Partial<Header> & Pick<Header, 'name'> {
  return { name, size, type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) };
}

/**
 * Packs blobs of a layout directory, each of which it removes once it is packed. `file` is there whole or not at all.
 *
 * @throws an error when a blob has not the digest of its name
 */
export async function packBundle(
  directory: string,
  { index, digests }: { index: BundleIndex; digests: ReadonlySet<string> },
  file: string,
): Promise<void> {
  const draft = `${file}.partial`;
  const pack = tar.pack();
  const writing = pipeline(pack, createWriteStream(draft, { mode: 0o644, flush: true }));
  // Reported below: it must not end the process while a blob is still being read.
  writing.catch(() => undefined);
  try {
    for (const [name, text] of [
      ['oci-layout', LAYOUT_FILE],
      ['index.json', bundleIndexText(index)],
    ] as const) {
      pack.entry(header(name, Buffer.byteLength(text)), text);
    }
    for (const digest of [...digests].sort()) {
      const path = layoutBlobPath(directory, digest);
      const hash = createHash('sha256');
      const entry = pack.entry(header(`blobs/${digest.replace(':', '/')}`, (await stat(path)).size));
      await pipeline(createReadStream(path, { highWaterMark: CHUNK }), hashing(hash), entry);
      await rm(path);
      if (`sha256:${hash.digest('hex')}` !== digest) throw new Error(`${path} has other bytes; it was removed`);
    }
    pack.finalize();
  } catch (error) {
    pack.destroy(error as Error);
    await writing.catch(() => undefined);
    await rm(draft, { force: true });
    throw error;
  }
  await writing;
  await rename(draft, file);
  const parent = await open(dirname(file));
  await parent.sync().finally(() => parent.close());
}

/**
 * Unpacks a bundle into a directory, as a layout, and checks each blob by its name. What is packed again has the same
 * bytes as the file.
 *
 * @throws UserError `bundle-damaged`
 */
export async function unpackBundle(file: string, directory: string): Promise<BundleIndex> {
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true, mode: 0o700 });
  const read = createHash('sha256');
  const again = tar.pack();
  const packed = createHash('sha256');
  const repacking = pipeline(again, hashing(packed).resume());
  repacking.catch(() => undefined);
  const extract = tar.extract();
  const reading = pipeline(createReadStream(file, { highWaterMark: CHUNK }), hashing(read), extract);
  reading.catch(() => undefined);
  try {
    const names: string[] = [];
    for await (const entry of extract) {
      requireNext(names, entry.header);
      names.push(entry.header.name);
      await keep(entry, directory, again.entry(header(entry.header.name, entry.header.size)));
    }
    again.finalize();
    await Promise.all([reading, repacking]);
  } catch (error) {
    again.destroy();
    if (error instanceof UserError || (error as NodeJS.ErrnoException).syscall) throw error;
    throw damaged((error as Error).message);
  }
  if (read.digest('hex') !== packed.digest('hex')) throw damaged('its headers are not those of a bundle');
  return indexOf(directory);
}

async function indexOf(directory: string): Promise<BundleIndex> {
  const text = await readFile(join(directory, 'index.json'), 'utf8').catch(() => '');
  const index = readBundleIndex(text);
  if (!index) throw damaged('its index.json is not that of a bundle');
  return index;
}

/** @throws UserError unless the entry is the next one: the two files of a layout, then blobs by their names */
function requireNext(before: readonly string[], { name, type, size }: Header): void {
  const expected = FIRST[before.length];
  const isNext = expected === undefined ? /^blobs\/sha256\/[0-9a-f]{64}$/.test(name) : name === expected;
  const isSorted = before.length <= FIRST.length || before.at(-1)! < name;
  if (type !== 'file' || !isNext || !isSorted) throw damaged(`it has an entry ${JSON.stringify(name)}`);
  if (expected !== undefined && size > MAX_INDEX) throw damaged(`its ${name} is too long`);
}

/** Writes an entry to its file, and packs it again. */
async function keep(entry: Source, directory: string, again: ReturnType<Pack['entry']>): Promise<void> {
  const { name } = entry.header;
  const hash = createHash('sha256');
  await pipeline(
    async function* () {
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        hash.update(chunk);
        if (!again.write(chunk)) await once(again as unknown as EventEmitter, 'drain');
        yield chunk;
      }
      again.end(undefined);
    },
    createWriteStream(join(directory, name), { mode: 0o600 }),
  );
  if (name === FIRST[0] && (await readFile(join(directory, name), 'utf8')) !== LAYOUT_FILE) {
    throw damaged('its oci-layout is not that of a bundle');
  }
  if (!FIRST.includes(name) && name !== `blobs/sha256/${hash.digest('hex')}`) throw damaged(`${name} has other bytes`);
}

/** Passes bytes on, and hashes them. */
function hashing(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}
