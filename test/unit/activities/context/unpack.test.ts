/** Archives that nobody packed here: each is refused before anything of it is written. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { unpackContextTar } from '../../../../activities/context/unpack.ts';

let root: string;
let out: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'flightline-unpack-test-'));
  out = join(root, 'out');
  await mkdir(out);
});
afterEach(() => rm(root, { recursive: true, force: true }));

interface Entry {
  name: string;
  type?: string;
  link?: string;
  content?: string;
  /** Header fields as they are written, by offset. */
  raw?: Record<number, string>;
}

function entry({ name, type = '0', link = '', content = '', raw = {} }: Entry): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 'latin1');
  header.write('0000644\0', 100);
  header.write(`${Buffer.byteLength(content).toString(8).padStart(11, '0')}\0`, 124);
  header.write(type, 156);
  header.write(link, 157, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  for (const [offset, text] of Object.entries(raw)) header.write(text, Number(offset), 'latin1');
  const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const body = Buffer.from(content, 'latin1');
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

function extended(...records: [string, string][]): Entry {
  const content = records.map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    const length = [1, 2, 3, 4]
      .map((digits) => rest.length + digits)
      .find((total, index) => `${total}`.length === index + 1)!;
    return `${length}${rest}`;
  });
  return { name: 'x', type: 'x', content: content.join('') };
}

const CONTAINERFILE: Entry[] = [
  { name: 'containerfile/', type: '5' },
  { name: 'containerfile/Containerfile', content: 'FROM scratch\n' },
];
const ROOT: Entry = { name: 'context/', type: '5' };
const BEGIN: Entry[] = [...CONTAINERFILE, ROOT];

async function unpack(entries: readonly Entry[], end = Buffer.alloc(1024), limit = Infinity) {
  const file = join(root, 'context.tar.gz');
  await writeFile(file, gzipSync(Buffer.concat([...entries.map(entry), end])));
  return unpackContextTar(file, out, limit);
}

it('takes an archive that is in order', async () => {
  await unpack([...BEGIN, { name: 'context/a', content: 'a' }, { name: 'context/b', type: '1', link: 'context/a' }]);
  expect(await readFile(join(out, 'context/b'), 'utf8')).toBe('a');
});

it.each<[string, Entry[], string]>([
  ['an absolute path', [...BEGIN, { name: '/etc/passwd' }], 'path "/etc/passwd" is not allowed'],
  ['a path that climbs', [...BEGIN, { name: 'context/../../x' }], 'not allowed'],
  [
    'a path that climbs, in an extended header',
    [...BEGIN, extended(['path', 'context/../x']), { name: 'x' }],
    'not allowed',
  ],
  ['a path with a dot', [...BEGIN, { name: 'context/./x' }], 'not allowed'],
  ['a file that other readers take for a directory', [...BEGIN, { name: 'context/x/' }], 'not allowed'],
  ['a path with a zero byte', [...BEGIN, extended(['path', 'context/x\0y']), { name: 'x' }], 'not allowed'],
  ['a place of its own', [...BEGIN, { name: 'elsewhere' }], 'has no place in it'],
  ['a character device', [...BEGIN, { name: 'context/null', type: '3' }], 'of the type "3"'],
  ['a block device', [...BEGIN, { name: 'context/sda', type: '4' }], 'of the type "4"'],
  ['a pipe', [...BEGIN, { name: 'context/pipe', type: '6' }], 'of the type "6"'],
  ['a sparse file of GNU', [...BEGIN, { name: 'context/sparse', type: 'S' }], 'of the type "S"'],
  ['a long name of GNU', [...BEGIN, { name: 'x', type: 'L', content: '/etc/x' }], 'of the type "L"'],
  ['global headers', [{ ...extended(['path', 'context/x']), type: 'g' }, ...BEGIN], 'of the type "g"'],
  ['a sparse file of POSIX', [...BEGIN, extended(['GNU.sparse.name', '/x']), { name: 'context/x' }], 'GNU.sparse.name'],
  ['a name that is said twice', [...BEGIN, extended(['path', 'context/a'], ['path', '/b']), { name: 'x' }], 'twice'],
  [
    'an attribute that devices heed',
    [...BEGIN, extended(['SCHILY.xattr.security.selinux', 'x']), { name: 'context/x' }],
    'security.selinux',
  ],
  [
    'an overlay attribute',
    [...BEGIN, extended(['SCHILY.xattr.trusted.overlay.redirect', '/x']), { name: 'context/x' }],
    'overlay',
  ],
  [
    'a context that is a link',
    [...CONTAINERFILE, { name: 'context', type: '2', link: '/etc' }],
    'a symlink, has no place',
  ],
  [
    'a Containerfile that is a link',
    [CONTAINERFILE[0]!, { name: 'containerfile/C', type: '2', link: '/etc/shadow' }],
    'no place',
  ],
  [
    'a Containerfile that is a hard link',
    [...BEGIN, { name: 'containerfile/D', type: '1', link: 'context/x' }],
    'no place',
  ],
  [
    'a builder configuration that is a link',
    [...BEGIN, { name: 'builder-config.toml', type: '2', link: '/etc/shadow' }],
    'no place',
  ],
  [
    'an entry below a link',
    [...BEGIN, { name: 'context/l', type: '2', link: '/tmp' }, { name: 'context/l/x' }],
    'not a directory',
  ],
  ['an entry below a file', [...BEGIN, { name: 'context/f' }, { name: 'context/f/x' }], 'not a directory'],
  ['an entry below nothing', [...BEGIN, { name: 'context/d/x' }], 'not a directory'],
  ['a file instead of a directory', [...BEGIN, { name: 'context/d/', type: '5' }, { name: 'context/d' }], 'twice'],
  ['a link without a target', [...BEGIN, { name: 'context/l', type: '2' }], 'leads nowhere'],
  [
    'a hard link to the host',
    [...BEGIN, { name: 'context/h', type: '1', link: '/etc/shadow' }],
    'hard link to what is not in it',
  ],
  [
    'a hard link to a directory',
    [...BEGIN, { name: 'context/d/', type: '5' }, { name: 'context/h', type: '1', link: 'context/d' }],
    'hard link',
  ],
  [
    'a hard link to what comes later',
    [...BEGIN, { name: 'context/h', type: '1', link: 'context/i' }, { name: 'context/i' }],
    'hard link',
  ],
  [
    'a hard link to the Containerfile',
    [...BEGIN, { name: 'context/h', type: '1', link: 'containerfile/Containerfile' }],
    'hard link',
  ],
  ['a directory with a content', [...BEGIN, { name: 'context/d/', type: '5', content: 'x' }], 'with a content'],
  [
    'a size of another kind',
    [...BEGIN, { name: 'context/x', raw: { 124: '\x80\0\0\0\0\0\0\0\0\0\0\x01' } }],
    'an invalid number',
  ],
  [
    'a header of another format',
    [...BEGIN, { name: 'context/x', raw: { 257: 'ustar  \0' } }],
    'not that of a POSIX archive',
  ],
  ['an extended header for nothing', [...BEGIN, extended(['path', 'context/x'])], 'out of place'],
  ['no Containerfile', [ROOT], 'no Containerfile'],
])('refuses %s', async (_, entries, message) => {
  await expect(unpack(entries)).rejects.toMatchObject({
    failure: { kind: 'context-invalid', message: expect.stringContaining(message) },
  });
  expect(await readdir(out)).toEqual([]);
});

it('refuses what stands behind the end', async () => {
  await expect(unpack(BEGIN, Buffer.concat([Buffer.alloc(512), entry({ name: '/etc/x' })]))).rejects.toThrow(
    'behind its end',
  );
});

it('refuses an archive that is cut off', async () => {
  await expect(unpack([...BEGIN, { name: 'context/a', raw: { 124: '00000077777\0' } }])).rejects.toThrow('too early');
});

it('refuses more than the operator allows, without unpacking it', async () => {
  const bomb = { name: 'context/zeros', content: '\0'.repeat(4 * 1024 * 1024) };
  await expect(unpack([...BEGIN, bomb], undefined, 1024 * 1024)).rejects.toMatchObject({
    failure: { kind: 'context-invalid', message: expect.stringContaining('more than 1048576 bytes') },
  });
  expect(await readdir(out)).toEqual([]);
});

it('says of what is no archive at all that it is none', async () => {
  await writeFile(join(root, 'x'), 'not gzip');
  await expect(unpackContextTar(join(root, 'x'), out, Infinity)).rejects.toMatchObject({
    failure: { kind: 'context-invalid' },
  });
});
