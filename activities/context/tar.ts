/**
 * The tar of a context artifact: written deterministically (sorted, mtime 0, owner 0), and read with distrust. Layout:
 * model/oci/labels.ts, CONTEXT_LAYOUT.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, constants } from 'node:fs';
import { chmod, lstat, mkdir, open, readFile, symlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import tar, { type Header } from 'tar-stream';
import { FlightlineError } from '../../model/release/failure.ts';
import { canonicalJson, sha256 } from '../../model/release/inputs.ts';
import { CONTEXT_LAYOUT } from '../../model/oci/labels.ts';
import type { ContextFile } from './files.ts';

const { context, containerfile, builderConfigs } = CONTEXT_LAYOUT;

/** Largest Containerfile or builder configuration (bytes). */
const MAX_TEXT = 1024 * 1024;

type HeaderOfFile = Pick<Header, 'name' | 'mode' | 'type' | 'size'> & { mtime: Date; uid: number; gid: number };

/** What goes into an artifact. Paths are absolute. */
export interface ContextSources {
  directory: string;
  files: readonly ContextFile[];
  containerfile: string;
  /** null when the spec names none. */
  builderConfig: string | null;
}

/** Writes the `tar+gzip` file. The same sources always give the same bytes. */
export async function writeContextTar(sources: ContextSources, file: string): Promise<void> {
  const pack = tar.pack();
  const writing = pipeline(pack, createGzip({ level: 6 }), createWriteStream(file, { mode: 0o600 }));
  // The pipeline reports what goes wrong; a packing error must not end the process before it does.
  writing.catch(() => undefined);
  const plain = { mtime: new Date(0), uid: 0, gid: 0 };
  const addText = async (name: string, path: string) => {
    const bytes = await readFile(path).catch((error: Error) => {
      throw new FlightlineError('context-invalid', `${path} cannot be read: ${error.message}`);
    });
    if (bytes.length > MAX_TEXT) throw new FlightlineError('context-invalid', `${path} is larger than 1 MiB`);
    pack.entry({ ...plain, name, mode: 0o644, type: 'file' }, bytes);
  };
  try {
    await addText(containerfile, sources.containerfile);
    if (sources.builderConfig !== null) await addText(builderConfigName(sources.builderConfig), sources.builderConfig);
    pack.entry({ ...plain, name: `${context}/`, mode: 0o755, type: 'directory' });
    for (const entry of sources.files) {
      const name = `${context}/${entry.path}`;
      if (entry.kind === 'directory') pack.entry({ ...plain, name: `${name}/`, mode: entry.mode, type: 'directory' });
      else if (entry.kind === 'link')
        pack.entry({ ...plain, name, mode: entry.mode, type: 'symlink', linkname: entry.target! });
      else
        await addFile(join(sources.directory, entry.path), {
          ...plain,
          name,
          mode: entry.mode,
          type: 'file',
          size: entry.size,
        });
    }
    pack.finalize();
  } catch (error) {
    pack.destroy(error as Error);
    await writing.catch(() => undefined);
    throw error;
  }
  await writing;

  async function addFile(path: string, header: HeaderOfFile): Promise<void> {
    if (header.size === 0) {
      pack.entry(header, '');
      return;
    }
    // Exactly `size` bytes are taken, and fewer are an error: a file that changes meanwhile must not break the tar.
    const content = createReadStream(path, { end: header.size! - 1 });
    await pipeline(content, pack.entry(header)).catch((error: Error) => {
      throw new FlightlineError(
        'context-invalid',
        `${path} could not be packed (did it change meanwhile?): ${error.message}`,
      );
    });
  }
}

/** Name of the builder configuration inside the artifact, by the extension of the file. */
function builderConfigName(path: string): string {
  if (path.endsWith('.json')) return builderConfigs.json;
  if (path.endsWith('.toml')) return builderConfigs.toml;
  throw new FlightlineError('context-invalid', `builder.config ${path} is neither a .toml nor a .json file`);
}

/** What can be known of a context without unpacking it. */
export interface ContextFacts {
  containerfile: string;
  builderConfig: { format: 'toml' | 'json'; digest: string } | null;
  /** Text of the builder configuration; it may hold passwords. Null when there is none. */
  builderConfigText: string | null;
  /** Digest over names, modes, links and contents of everything but the builder configuration. */
  files: string;
  /** What lies at the context's top, by name. */
  names: readonly string[];
}

/** Reads a context's tar once. @throws FlightlineError `context-invalid` */
export async function inspectContextTar(file: string): Promise<ContextFacts> {
  const entries: unknown[] = [];
  const names = new Set<string>();
  let containerfileText: string | undefined;
  let builderConfig: ContextFacts['builderConfig'] = null;
  let builderConfigText: string | null = null;
  await readEntries(file, async (header, body) => {
    const format = (['toml', 'json'] as const).find((name) => header.name === builderConfigs[name]);
    if (format) {
      const bytes = await collect(body);
      builderConfig = { format, digest: `sha256:${sha256(bytes)}` };
      builderConfigText = bytes.toString('utf8');
      return;
    }
    if (header.name === containerfile) {
      const bytes = await collect(body);
      containerfileText = bytes.toString('utf8');
      entries.push([header.name, sha256(bytes)]);
      return;
    }
    const [root, name] = header.name.split('/');
    if (root === context && name) names.add(name);
    const hash = createHash('sha256');
    for await (const chunk of body) hash.update(chunk as Buffer);
    entries.push([header.name, header.type, header.mode, header.linkname ?? null, hash.digest('hex')]);
  });
  if (containerfileText === undefined) throw unsafe('it holds no Containerfile');
  const files = `sha256:${sha256(canonicalJson(entries))}`;
  return { containerfile: containerfileText, builderConfig, builderConfigText, files, names: [...names] };
}

/**
 * Unpacks a context into an empty directory. Nothing is ever written outside of it or through a link. A link may name an
 * absolute path, since that is a path in the image and is never followed here.
 *
 * @throws FlightlineError `context-invalid` for absolute paths, `..`, devices, links that climb out, doubled entries.
 */
export async function unpackContextTar(file: string, directory: string): Promise<void> {
  const modes: [string, number][] = [];
  await readEntries(file, async (header, body) => {
    const path = join(directory, header.name);
    await requireRealParents(directory, posix.dirname(header.name));
    if (header.type === 'directory') {
      await mkdir(path, { mode: 0o700 });
      // Set last: a directory without write permission would refuse its own files.
      modes.push([path, header.mode ?? 0o755]);
    } else if (header.type === 'symlink') {
      await symlink(header.linkname!, path);
    } else {
      const handle = await open(
        path,
        constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW,
        0o600,
      );
      await pipeline(body, handle.createWriteStream());
      await chmod(path, header.mode ?? 0o644);
    }
  });
  for (const [path, mode] of modes.reverse()) await chmod(path, mode);
}

async function requireRealParents(root: string, parent: string): Promise<void> {
  for (let path = parent; path !== '.'; path = posix.dirname(path)) {
    const facts = await lstat(join(root, path)).catch(() => undefined);
    if (!facts?.isDirectory()) throw unsafe(`an entry lies below ${path}, which is no directory of it`);
  }
}

async function readEntries(
  file: string,
  visit: (header: Header, body: AsyncIterable<unknown>) => Promise<void>,
): Promise<void> {
  const extract = tar.extract();
  const seen = new Set<string>();
  const reading = pipeline(createReadStream(file), createGunzip(), extract);
  reading.catch(() => undefined);
  try {
    for await (const entry of extract) {
      const header: Header = { ...entry.header, name: entry.header.name.replace(/\/$/, '') };
      checkEntry(header);
      if (seen.has(header.name)) throw unsafe(`${header.name} is in it twice`);
      seen.add(header.name);
      await visit(header, entry);
      entry.resume();
    }
    await reading;
  } catch (error) {
    if (error instanceof FlightlineError || (error as NodeJS.ErrnoException).code === 'ENOSPC') throw error;
    throw unsafe((error as Error).message);
  }
}

/** Refuses whatever could lead outside of the directory it is unpacked into. Pure. */
export function checkEntry(header: Pick<Header, 'name' | 'type' | 'linkname'>): void {
  const { name, type } = header;
  if (name.startsWith('/') || name.includes('\0') || name.split('/').includes('..') || posix.normalize(name) !== name) {
    throw unsafe(`the path "${name}" is not allowed`);
  }
  const top = name.split('/')[0];
  const known: string[] = [context, containerfile, ...Object.values(builderConfigs)];
  if (!known.includes(top!)) throw unsafe(`"${name}" has no place in it`);
  if (top !== context && (type !== 'file' || name !== top)) throw unsafe(`"${name}" is not a plain file`);
  if (type !== 'file' && type !== 'directory' && type !== 'symlink') throw unsafe(`"${name}" is a ${type}`);
  if (type === 'symlink') {
    const target = header.linkname ?? '';
    if (target === '' || target.includes('\0')) throw unsafe(`the link "${name}" has no target`);
    const lands = posix.normalize(posix.join(posix.dirname(name), target));
    if (!target.startsWith('/') && lands !== context && !lands.startsWith(`${context}/`)) {
      throw unsafe(`the link "${name}" leaves the context`);
    }
  }
}

function unsafe(problem: string): FlightlineError {
  return new FlightlineError('context-invalid', `the context artifact cannot be used: ${problem}`);
}

async function collect(body: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += (chunk as Buffer).length;
    if (size > MAX_TEXT) throw unsafe('a text file of it is larger than 1 MiB');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
