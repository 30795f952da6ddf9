/**
 * Reads a tar that GNU tar wrote in its POSIX format (`pax`). Names, link targets and attributes are bytes. Refuses
 * what another reader could understand otherwise, since GNU tar unpacks the archive after this check.
 */

/** What an entry is. */
type TarKind = 'file' | 'directory' | 'symlink' | 'hard link';

export interface TarEntry {
  kind: TarKind;
  /** Latin-1, a character per byte; a directory has no `/` at its end. */
  name: string;
  /** Target of a link, Latin-1; null for other entries. */
  target: string | null;
  /** Permission bits with set-user-id and the like. */
  mode: number;
  /** Bytes. */
  size: number;
  /** Extended attributes by their names in the archive. */
  attributes: ReadonlyMap<string, Buffer>;
  /** To be read before the next entry. */
  content: AsyncIterable<Buffer>;
}

/** The text is no archive, or not in the expected format. */
export class TarError extends Error {}

const BLOCK = 512;
/** Longest extended header (bytes): names and attributes. */
const LONGEST_EXTENDED_HEADER = 1024 * 1024;
const KINDS: Readonly<Record<string, TarKind>> = { '0': 'file', '1': 'hard link', '2': 'symlink', '5': 'directory' };
/** Allowed keys of extended headers. Times are ignored. */
const KEYS = ['path', 'linkpath', 'size', 'mtime'];
const ATTRIBUTE = 'SCHILY.xattr.';

/** Reads entry by entry. @throws TarError */
export async function* tarEntries(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const bytes = new Bytes(source);
  let extended: Extended | null = null;
  for (;;) {
    const block = await bytes.exactly(BLOCK);
    if (block.every((byte) => byte === 0)) break;
    const header = readHeader(block);
    if (header.type === 'x') {
      if (extended || header.size > LONGEST_EXTENDED_HEADER) throw new TarError('an extended header is out of place');
      extended = readExtended(await bytes.exactly(header.size));
      await bytes.padding(header.size);
      continue;
    }
    const kind = KINDS[header.type];
    if (!kind) throw new TarError(`"${header.name}" is of the type ${JSON.stringify(header.type)}`);
    const entry = joined(kind, header, extended);
    extended = null;
    const content = bytes.next(entry.size);
    yield { ...entry, content };
    for await (const rest of content) void rest;
    await bytes.padding(entry.size);
  }
  if (extended) throw new TarError('an extended header is out of place');
  await bytes.zeros();
}

interface Header {
  name: string;
  target: string;
  type: string;
  mode: number;
  size: number;
}

function readHeader(block: Buffer): Header {
  const text = (from: number, length: number) => block.toString('latin1', from, from + length).replace(/\0.*$/s, '');
  const number = (from: number, length: number) => {
    const written = block.toString('latin1', from, from + length);
    const digits = /^([0-7]+)[ \0]*$/.exec(written)?.[1];
    if (digits === undefined) throw new TarError('a header has an invalid number');
    return Number.parseInt(digits, 8);
  };
  const sum = block.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
  if (block.toString('latin1', 257, 265) !== 'ustar\x0000' || number(148, 8) !== sum) {
    throw new TarError('a header is not that of a POSIX archive');
  }
  const prefix = text(345, 155);
  return {
    name: prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`,
    target: text(157, 100),
    type: String.fromCharCode(block[156]!),
    mode: number(100, 8) & 0o7777,
    size: number(124, 12),
  };
}

interface Extended {
  values: ReadonlyMap<string, string>;
  attributes: ReadonlyMap<string, Buffer>;
}

function readExtended(records: Buffer): Extended {
  const values = new Map<string, string>();
  const attributes = new Map<string, Buffer>();
  for (let at = 0; at < records.length;) {
    const space = records.indexOf(' ', at);
    const written = records.toString('latin1', at, space);
    const end = at + Number(written);
    const equals = records.indexOf('=', space);
    if (
      !/^[1-9]\d*$/.test(written) ||
      equals < 0 ||
      equals >= end ||
      records[end - 1] !== 0x0a ||
      end > records.length
    ) {
      throw new TarError('an extended header cannot be read');
    }
    const key = records.toString('latin1', space + 1, equals);
    const value = records.subarray(equals + 1, end - 1);
    if (values.has(key) || attributes.has(key.slice(ATTRIBUTE.length))) {
      throw new TarError(`an extended header says "${key}" twice`);
    }
    if (key.startsWith(ATTRIBUTE)) attributes.set(key.slice(ATTRIBUTE.length), value);
    else if (KEYS.includes(key)) values.set(key, value.toString('latin1'));
    else throw new TarError(`an extended header says "${key}"`);
    at = end;
  }
  return { values, attributes };
}

function joined(kind: TarKind, header: Header, extended: Extended | null): Omit<TarEntry, 'content'> {
  const name = extended?.values.get('path') ?? header.name;
  const target =
    kind === 'symlink' || kind === 'hard link' ? (extended?.values.get('linkpath') ?? header.target) : null;
  const written = extended?.values.get('size');
  const size = written === undefined ? header.size : Number(written);
  if (!Number.isSafeInteger(size) || size < 0) throw new TarError(`"${name}" has no size`);
  if (kind !== 'file' && size !== 0) throw new TarError(`"${name}" is a ${kind} with a content`);
  return {
    kind,
    name: kind === 'directory' ? name.replace(/\/$/, '') : name,
    target,
    mode: header.mode,
    size,
    attributes: extended?.attributes ?? new Map(),
  };
}

/** Reads a stream of bytes in pieces of given lengths. */
class Bytes {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** The next bytes, at most this many; none at the end. */
  async #some(most: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return Buffer.alloc(0);
      this.#rest = value as Buffer<ArrayBuffer>;
    }
    const some = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(some.length);
    return some;
  }

  async *next(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0;) {
      const some = await this.#some(left);
      if (some.length === 0) throw new TarError('it ends too early');
      left -= some.length;
      yield some;
    }
  }

  async exactly(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.next(length)) parts.push(part);
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** Skips the padding of the last block. */
  async padding(size: number): Promise<void> {
    await this.exactly((BLOCK - (size % BLOCK)) % BLOCK);
  }

  /** Skips the end of the archive. */
  async zeros(): Promise<void> {
    for (let some = await this.#some(BLOCK); some.length > 0; some = await this.#some(BLOCK)) {
      if (some.some((byte) => byte !== 0)) throw new TarError('something stands behind its end');
    }
  }
}
