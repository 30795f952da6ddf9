import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPrivateKeys, listContextFiles } from '../../../../activities/context/files.ts';
import {
  checkEntry,
  inspectContextTar,
  unpackContextTar,
  writeContextTar,
} from '../../../../activities/context/tar.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'flightline-context-test-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function put(files: Record<string, string>): Promise<string> {
  const directory = join(root, 'project');
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(directory, path, '..'), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  return directory;
}

const paths = async (directory: string) => (await listContextFiles(directory)).map((file) => file.path);

describe('listContextFiles', () => {
  it('lists in byte order, directories too', async () => {
    const directory = await put({ 'b/x': '1', a: '2', 'B/y': '3' });
    expect(await paths(directory)).toEqual(['B', 'B/y', 'a', 'b', 'b/x']);
  });

  it.each([
    ['*.log', ['.containerignore', 'a.txt', 'd', 'd/b.log']],
    ['**/*.log', ['.containerignore', 'a.txt', 'd']],
    ['d', ['.containerignore', 'a.txt', 'a.log'].sort()],
    ['*\n!a.txt', ['a.txt']],
    ['# d\n\nd', ['.containerignore', 'a.txt', 'a.log'].sort()],
  ])('honours .containerignore %j', async (rules, expected) => {
    const directory = await put({ 'a.txt': '', 'a.log': '', 'd/b.log': '', '.containerignore': rules });
    expect((await paths(directory)).sort()).toEqual([...expected].sort());
  });

  it('refuses a pipe, with the way out', async () => {
    const directory = await put({ a: '1' });
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    await expect(listContextFiles(directory)).rejects.toMatchObject({
      failure: { kind: 'context-invalid', remedy: expect.stringContaining('.containerignore') },
    });
  });

  it('refuses a directory that is not there', async () => {
    await expect(listContextFiles(join(root, 'absent'))).rejects.toThrow('not a directory');
  });
});

it('finds private keys', async () => {
  const directory = await put({
    key: '-----BEGIN EC PRIVATE KEY-----\nx',
    'config.yaml': 'a:\n  client-key-data: AAAA\n',
    'cert.pem': '-----BEGIN CERTIFICATE-----',
  });
  expect(await findPrivateKeys(directory, await listContextFiles(directory))).toEqual(['config.yaml', 'key']);
});

async function pack(directory: string, name = 'context.tar.gz', builderConfig: string | null = null): Promise<string> {
  const file = join(root, name);
  const files = await listContextFiles(directory);
  await writeContextTar({ directory, files, containerfile: join(directory, 'Containerfile'), builderConfig }, file);
  return file;
}

describe('the tar of a context', () => {
  it('comes back as it was packed', async () => {
    const directory = await put({ Containerfile: 'FROM x', 'd/e/f': 'deep', empty: '', 'config.toml': 'x = 1' });
    await symlink('/usr/lib/x.service', join(directory, 'absolute'));
    await symlink('d/e', join(directory, 'relative'));
    const file = await pack(directory, 'a', join(directory, 'config.toml'));
    const out = join(root, 'out');
    await mkdir(out);
    await unpackContextTar(file, out);
    expect(await readFile(join(out, 'context/d/e/f'), 'utf8')).toBe('deep');
    expect((await stat(join(out, 'context/empty'))).size).toBe(0);
    expect(await readlink(join(out, 'context/absolute'))).toBe('/usr/lib/x.service');
    expect(await readFile(join(out, 'builder-config.toml'), 'utf8')).toBe('x = 1');
    expect(await readFile(join(out, 'Containerfile'), 'utf8')).toBe('FROM x');
  });

  it('is the same bytes for the same files, whatever their times', async () => {
    const directory = await put({ Containerfile: 'FROM x', a: '1' });
    const first = await readFile(await pack(directory, 'one'));
    await utimes(join(directory, 'a'), 1, 1);
    expect((await readFile(await pack(directory, 'two'))).equals(first)).toBe(true);
  });

  it('has one digest for the files, whatever the builder configuration', async () => {
    const directory = await put({ Containerfile: 'FROM x', a: '1' });
    await writeFile(join(root, 'config.toml'), 'x = 1');
    const without = await inspectContextTar(await pack(directory, 'one'));
    const with_ = await inspectContextTar(await pack(directory, 'two', join(root, 'config.toml')));
    expect(with_.files).toBe(without.files);
    expect(without.builderConfig).toBeNull();
    expect(with_.names).toEqual(['Containerfile', 'a']);
    expect(with_.builderConfig).toMatchObject({ format: 'toml', digest: expect.stringMatching(/^sha256:/) });
    await writeFile(join(directory, 'a'), '2');
    expect((await inspectContextTar(await pack(directory, 'three'))).files).not.toBe(without.files);
  });

  it('refuses a builder configuration of another format', async () => {
    const directory = await put({ Containerfile: 'FROM x' });
    await writeFile(join(root, 'config.yaml'), '');
    await expect(pack(directory, 'x', join(root, 'config.yaml'))).rejects.toThrow('neither a .toml nor a .json');
  });
});

describe('a hostile tar', () => {
  it.each([
    ['an absolute path', { name: '/etc/passwd', type: 'file' as const }],
    ['a climbing path', { name: 'context/../../x', type: 'file' as const }],
    ['a path of its own', { name: 'elsewhere', type: 'file' as const }],
    ['a device', { name: 'context/null', type: 'character-device' as const }],
    ['a hard link', { name: 'context/x', type: 'link' as const, linkname: '/etc/shadow' }],
    ['a climbing link', { name: 'context/x', type: 'symlink' as const, linkname: '../../etc' }],
    ['a Containerfile that is a link', { name: 'Containerfile', type: 'symlink' as const, linkname: '/etc/shadow' }],
    ['a Containerfile that is a directory', { name: 'Containerfile/x', type: 'file' as const }],
  ])('with %s is refused', (_, header) => {
    expect(() => checkEntry({ linkname: null, ...header } as Parameters<typeof checkEntry>[0])).toThrow(
      /cannot be used/,
    );
  });

  it('that writes through a link is refused, and nothing is written', async () => {
    const file = join(root, 'evil.tar.gz');
    const packing = tar.pack();
    packing.entry({ name: 'context', type: 'directory' });
    packing.entry({ name: 'context/link', type: 'symlink', linkname: root });
    packing.entry({ name: 'context/link/owned' }, 'x');
    packing.finalize();
    await pipeline(packing, createGzip(), createWriteStream(file));
    const out = join(root, 'out');
    await mkdir(out);
    await expect(unpackContextTar(file, out)).rejects.toThrow('no directory of it');
    await expect(stat(join(root, 'owned'))).rejects.toThrow();
  });

  it('that is no tar at all is one clear error', async () => {
    await writeFile(join(root, 'x'), 'not gzip');
    await expect(inspectContextTar(join(root, 'x'))).rejects.toMatchObject({ failure: { kind: 'context-invalid' } });
  });
});
