/** Reads the tar of a context artifact (`CONTEXT_LAYOUT`) and trusts nothing in it. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { FlightlineError } from '../../model/failure/failure.ts';
import { sha256 } from '../../model/base/digest.ts';
import { CONTEXT_LAYOUT } from '../../model/oci/labels.ts';
import { isPackedAttribute } from '../tools/tar.ts';
import { showPath } from './files/path-bytes.ts';
import { TarError, tarEntries, type TarEntry } from './tar-entries.ts';

const { context, contexts, containerfile, ignoreSuffix, builderConfigs } = CONTEXT_LAYOUT;

/** Largest Containerfile, ignore file or builder configuration (bytes). */
export const LARGEST_TEXT = 1024 * 1024;
/** Most files of a context, whose names are kept in memory. */
const MOST_ENTRIES = 1_000_000;

/** Facts about a context that need no unpacking. */
export interface ContextFacts {
  /** Text of the Containerfile. */
  containerfile: string;
  /** Its name, without directories. */
  containerfileName: string;
  builderConfig: { format: 'toml' | 'json'; digest: string } | null;
  /** Text of the builder configuration; it may hold passwords. Null when there is none. */
  builderConfigText: string | null;
  /** Digest over everything but the builder configuration and times, so that a fresh clone has the same digest. */
  files: string;
  /** The names at the top of the context. */
  names: readonly string[];
}

/**
 * Reads a context's tar once, and refuses what could be unpacked outside its directory.
 *
 * @param limit most bytes when unpacked
 * @throws FlightlineError `context-invalid`
 */
export async function inspectContextTar(file: string, limit = Infinity): Promise<ContextFacts> {
  const check = new EntryCheck();
  const texts = new Map<string, Buffer>();
  const names = new Set<string>();
  const files = createHash('sha256');
  await readTar(file, limit, async (entry) => {
    check.add(entry);
    const [top, name] = entry.name.split('/');
    if (top === context && name) names.add(Buffer.from(name, 'latin1').toString());
    if (top !== context && top !== contexts && entry.kind === 'file')
      texts.set(entry.name, await readText(entry.content));
    if (isBuilderConfig(top!)) return;
    await addToDigest(files, entry, texts.get(entry.name));
  });
  const [name] = [...texts.keys()].filter((path) => isContainerfile(path));
  if (name === undefined) throw unsafe('it holds no Containerfile');
  const format = (['toml', 'json'] as const).find((known) => texts.has(builderConfigs[known]));
  const config = format && texts.get(builderConfigs[format])!;
  return {
    containerfile: texts.get(name)!.toString('utf8'),
    containerfileName: Buffer.from(name.slice(containerfile.length + 1), 'latin1').toString(),
    builderConfig: config ? { format: format!, digest: `sha256:${sha256(config)}` } : null,
    builderConfigText: config ? config.toString('utf8') : null,
    files: `sha256:${files.digest('hex')}`,
    names: [...names],
  };
}

/** The name of a file that is neither the ignore file nor in the context. */
function isContainerfile(path: string): boolean {
  return path.startsWith(`${containerfile}/`) && !path.endsWith(ignoreSuffix);
}

function isBuilderConfig(name: string): boolean {
  return (Object.values(builderConfigs) as string[]).includes(name);
}

async function readTar(file: string, limit: number, visit: (entry: TarEntry) => Promise<void>): Promise<void> {
  const unzipped = createGunzip();
  const reading = pipeline(createReadStream(file), unzipped);
  reading.catch(() => undefined);
  try {
    for await (const entry of tarEntries(upTo(limit, unzipped))) await visit(entry);
    await reading;
  } catch (error) {
    unzipped.destroy();
    if (error instanceof TarError || isZlibError(error)) throw unsafe((error as Error).message);
    throw error;
  }
}

async function* upTo(limit: number, source: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) {
      throw new FlightlineError('context-invalid', `the context has more than ${limit} bytes when unpacked`, {
        remedy: 'name in .containerignore what the build does not need, or raise context.unpackedSize of the workers',
      });
    }
    yield chunk;
  }
}

function isZlibError(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  return code.startsWith('Z_') || code === 'ERR_STREAM_PREMATURE_CLOSE';
}

/** The entries of an archive so far, which limit what may come next. */
class EntryCheck {
  readonly #kinds = new Map<string, TarEntry['kind']>();

  /** @throws FlightlineError `context-invalid` */
  add({ kind, name, target, attributes }: Omit<TarEntry, 'content' | 'mode' | 'size'>): void {
    const shown = showPath(Buffer.from(name, 'latin1'));
    const parts = name.split('/');
    const [top] = parts;
    if (name.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..')) {
      throw unsafe(`the path "${shown}" is not allowed`);
    }
    if (this.#kinds.has(name)) throw unsafe(`"${shown}" is in it twice`);
    if (this.#kinds.size >= MOST_ENTRIES) throw unsafe(`it holds more than ${MOST_ENTRIES} files`);
    if (parts.length > 1) {
      const parent = parts.slice(0, -1).join('/');
      if (this.#kinds.get(parent) !== 'directory') throw unsafe(`"${shown}" lies in something that is not a directory`);
    }
    if (!hasPlace(top!, parts.length, kind)) throw unsafe(`"${shown}", a ${kind}, has no place in it`);
    if (kind === 'symlink' && (target === '' || target?.includes('\0'))) throw unsafe(`"${shown}" leads nowhere`);
    if (kind === 'hard link') {
      const linked = this.#kinds.get(target!);
      if (!/^contexts?\//.test(target!) || linked === undefined || linked === 'directory') {
        throw unsafe(`"${shown}" is a hard link to what is not in it`);
      }
    }
    const foreign = [...attributes.keys()].find((attribute) => !isPackedAttribute(attribute));
    if (foreign !== undefined) throw unsafe(`"${shown}" has the attribute ${foreign}`);
    this.#kinds.set(name, kind);
  }
}

/** Contexts are directories; everything beside them is a plain file. */
function hasPlace(top: string, depth: number, kind: TarEntry['kind']): boolean {
  if (top === context) return depth > 1 || kind === 'directory';
  if (top === contexts) return depth > 2 || kind === 'directory';
  if (top === containerfile) return depth === 1 ? kind === 'directory' : depth === 2 && kind === 'file';
  return isBuilderConfig(top) && depth === 1 && kind === 'file';
}

/** A context itself, and not what is in it. */
function isTop(name: string): boolean {
  const [top, , ...below] = name.split('/');
  return name === context || (top === contexts && below.length === 0);
}

/**
 * Adds an entry except its time. Each part follows its length, so that different entries never give equal bytes.
 */
async function addToDigest(digest: Hash, entry: TarEntry, text: Buffer | undefined): Promise<void> {
  const content = createHash('sha256');
  if (text) content.update(text);
  else for await (const chunk of entry.content) content.update(chunk);
  const attributes = [...entry.attributes].sort(([left], [right]) => (left < right ? -1 : 1)).flat();
  const parts = [
    entry.kind,
    // A clone's own directory has the mode that whoever made it wished, of which COPY takes nothing.
    isTop(entry.name) ? '' : entry.mode.toString(8),
    entry.name,
    entry.target ?? '',
    content.digest('hex'),
    ...attributes,
  ];
  digest.update(`${parts.length}\n`);
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'latin1') : part;
    digest.update(`${bytes.length}:`).update(bytes);
  }
}

async function readText(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of content) {
    size += chunk.length;
    if (size > LARGEST_TEXT) throw unsafe('a text file of it is larger than 1 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function unsafe(problem: string): FlightlineError {
  return new FlightlineError('context-invalid', `the context artifact cannot be used: ${problem}`);
}
