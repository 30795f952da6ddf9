import { execFileSync } from 'node:child_process';
import {
  link,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packContext, type PackedContext } from '../../../../activities/context/pack.ts';
import { unpackContextTar } from '../../../../activities/context/unpack.ts';

/** Only root may give a file capabilities. */
const isRoot = process.getuid?.() === 0;

let root: string;
let project: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'flightline-pack-test-'));
  project = join(root, 'project');
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function put(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(project, path)), { recursive: true });
    await writeFile(join(project, path), text);
  }
}

let packs = 0;
async function pack(
  sources: Partial<Parameters<typeof packContext>[0]> = {},
): Promise<PackedContext & { tar: string }> {
  const scratch = join(root, `scratch-${packs++}`);
  await mkdir(scratch);
  const containerfile = join(project, 'Containerfile');
  const packed = await packContext({ directory: project, containerfile, builderConfig: null, ...sources }, scratch);
  return { ...packed, tar: packed.artifact.blobs[0]!.path };
}

async function unpack({ tar }: { tar: string }) {
  const out = join(root, `out-${packs}`);
  await mkdir(out);
  return { out, ...(await unpackContextTar(tar, out, Infinity)) };
}

describe('a context comes back as it was', () => {
  it('with its files, and what stands beside them', async () => {
    await put({
      'os/Edge': 'FROM x',
      'os/Edge.containerignore': 'drop',
      drop: '',
      'd/e/f': 'deep',
      'config.toml': 'x = 1',
    });
    const packed = await pack({ containerfile: join(project, 'os/Edge'), builderConfig: join(project, 'config.toml') });
    const { out, context, containerfile, builderConfig } = await unpack(packed);
    expect(containerfile).toBe(join(out, 'containerfile/Edge'));
    expect(await readFile(containerfile, 'utf8')).toBe('FROM x');
    expect(await readFile(`${containerfile}.containerignore`, 'utf8')).toBe('drop');
    expect(await readFile(builderConfig!, 'utf8')).toBe('x = 1');
    expect(await readFile(join(context, 'd/e/f'), 'utf8')).toBe('deep');
    expect((await readdir(context)).sort()).toEqual(['config.toml', 'd', 'os']);
    expect(packed.facts).toMatchObject({
      containerfile: 'FROM x',
      containerfileName: 'Edge',
      builderConfig: { format: 'toml' },
    });
  });

  it('with further build contexts, each by the rules of its own ignore file', async () => {
    await put({
      Containerfile: 'FROM x',
      '.containerignore': 'one',
      one: '',
      'tools/rules': '*\n!one\n',
      'tools/one': '1',
    });
    await put({ 'tools/drop': '', 'tools/large': 'x'.repeat(2 ** 21), 'more/.dockerignore': '', 'more/two': '2' });
    await symlink('rules', join(project, 'tools/.containerignore'));
    await symlink('more', join(project, 'link'));
    const buildContexts = { tools: join(project, 'tools'), 'quay.io/a/b:1': join(project, 'link') };
    const packed = await pack({ buildContexts });
    const { context, contextNamed } = await unpack(packed);
    expect(await readdir(context)).not.toContain('one');
    expect((await readdir(contextNamed('tools'))).sort()).toEqual(['.containerignore', 'one', 'rules']);
    expect((await readdir(contextNamed('quay.io/a/b:1'))).sort()).toEqual(['.dockerignore', 'two']);
    await writeFile(join(project, 'more/two'), '-----BEGIN PRIVATE KEY-----');
    const changed = await pack({ buildContexts });
    expect(changed.facts.files).not.toBe(packed.facts.files);
    expect(changed.privateKeys).toEqual(['more/two', 'quay.io/a/b:1/two']);
  });

  it('with names and link targets that are not UTF-8', async () => {
    await put({ Containerfile: 'FROM x' });
    const bytes = (...parts: (string | number)[]) =>
      Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part))));
    await writeFile(bytes(project, '/caf', 0xe9), 'latin');
    await writeFile(bytes(project, '/\u{1d70b} "a\nb\\'), 'odd');
    await symlink(bytes('to/', 0xff), bytes(project, '/link', 0xfe));
    const { context } = await unpack(await pack());
    const names = await readdir(context, { encoding: 'buffer' });
    expect(names.map((name) => name.toString('latin1')).sort()).toEqual(
      [Buffer.from('\u{1d70b} "a\nb\\').toString('latin1'), 'Containerfile', 'caf\xe9', 'link\xfe'].sort(),
    );
    expect(await readFile(bytes(context, '/caf', 0xe9), 'utf8')).toBe('latin');
    expect(await readlink(bytes(context, '/link', 0xfe), { encoding: 'buffer' })).toEqual(bytes('to/', 0xff));
  });

  it('with links of any direction, none of them followed', async () => {
    await put({ Containerfile: 'FROM x', 'etc/x': '' });
    const targets = {
      'etc/up': '../../../../usr/share/zoneinfo/UTC',
      'etc/abs': '/etc/passwd',
      'etc/lost': 'nowhere',
      self: '.',
    };
    for (const [name, target] of Object.entries(targets)) await symlink(target, join(project, name));
    const { context } = await unpack(await pack());
    for (const [name, target] of Object.entries(targets)) expect(await readlink(join(context, name))).toBe(target);
  });

  it('with hard links, which are sent once', async () => {
    await put({ Containerfile: 'FROM x', 'data/0': 'x'.repeat(100_000) });
    await mkdir(join(project, 'other'));
    await link(join(project, 'data/0'), join(project, 'other/1'));
    const { context } = await unpack(await pack());
    const [first, second] = [await stat(join(context, 'data/0')), await stat(join(context, 'other/1'))];
    expect(second.ino).toBe(first.ino);
    expect(first.nlink).toBe(2);
  });

  it.runIf(isRoot)('with modes, times and attributes', async () => {
    await put({ Containerfile: 'FROM x', 'd/tool': '' });
    execFileSync('chmod', ['4750', join(project, 'd/tool')]);
    execFileSync('chmod', ['1700', join(project, 'd')]);
    execFileSync('setcap', ['cap_net_raw=ep', join(project, 'd/tool')]);
    execFileSync('touch', ['-d', '2026-01-02T03:04:05.123456789Z', join(project, 'd/tool')]);
    await symlink('tool', join(project, 'd/link'));
    execFileSync('touch', ['-h', '-d', '2025-01-02T03:04:05Z', join(project, 'd/link')]);
    execFileSync('touch', ['-d', '1960-01-01T00:00:00Z', join(project, 'd')]);
    const { context } = await unpack(await pack());
    expect((await stat(join(context, 'd/tool'))).mode & 0o7777).toBe(0o4750);
    expect((await stat(join(context, 'd'))).mode & 0o7777).toBe(0o1700);
    expect(execFileSync('getcap', [join(context, 'd/tool')], { encoding: 'utf8' })).toContain('cap_net_raw=ep');
    const time = async (name: string) => (await lstat(join(context, name), { bigint: true })).mtimeNs;
    expect(await time('d/tool')).toBe(1767323045123456789n);
    expect(await time('d/link')).toBe(1735787045000000000n);
    expect(await time('d')).toBe(-315619200000000000n);
  });

  it('from a directory that is given as a link, as podman takes it', async () => {
    await put({ Containerfile: 'FROM x' });
    await symlink('project', join(root, 'link'));
    const { context } = await unpack(await pack({ directory: join(root, 'link') }));
    expect(await readdir(context)).toEqual(['Containerfile']);
    expect((await lstat(context)).isDirectory()).toBe(true);
  });

  it('with what a Containerfile.in includes, whatever is ignored', async () => {
    await put({
      'Containerfile.in': '#include "part/common.in"\n',
      'part/common.in': '#include "more.in"\n',
      'part/more.in': 'RUN true\n',
      'part/other': '',
      '.containerignore': '*',
    });
    const { context } = await unpack(await pack({ containerfile: join(project, 'Containerfile.in') }));
    expect(await readdir(context)).toEqual(['part']);
    expect((await readdir(join(context, 'part'))).sort()).toEqual(['common.in', 'more.in']);
  });
});

describe('digests', () => {
  it('leave times out of what decides on a change, and are the same for the same times', async () => {
    await put({ Containerfile: 'FROM x', 'd/a': '1' });
    const [first, again] = [await pack(), await pack()];
    expect(again.digest).toBe(first.digest);
    await utimes(join(project, 'd/a'), 1, 1);
    const later = await pack();
    expect(later.digest).not.toBe(first.digest);
    expect(later.facts.files).toBe(first.facts.files);
    // Whoever makes a clone has a umask of their own.
    execFileSync('chmod', ['0701', project]);
    expect((await pack()).facts.files).toBe(first.facts.files);
    expect((await pack({ time: 5 })).digest).toBe((await pack({ time: 5 })).digest);
  });

  it.each([
    ['content', () => writeFile(join(project, 'a'), '2')],
    ['mode', () => Promise.resolve(execFileSync('chmod', ['600', join(project, 'a')]))],
    ['name', () => writeFile(join(project, 'b'), '')],
    ['ignore file', () => writeFile(join(project, '.containerignore'), '.containerignore\n')],
  ])('tell another %s', async (_, change) => {
    await put({ Containerfile: 'FROM x', a: '1' });
    const before = (await pack()).facts.files;
    await change();
    expect((await pack()).facts.files).not.toBe(before);
  });

  it.runIf(isRoot)('tell another attribute', async () => {
    await put({ Containerfile: 'FROM x', a: '1' });
    const before = (await pack()).facts.files;
    execFileSync('setcap', ['cap_net_raw=ep', join(project, 'a')]);
    expect((await pack()).facts.files).not.toBe(before);
  });

  it('do not heed the builder configuration', async () => {
    await put({ Containerfile: 'FROM x' });
    await writeFile(join(root, 'config.toml'), 'x = 1');
    const without = (await pack()).facts;
    const configured = (await pack({ builderConfig: join(root, 'config.toml') })).facts;
    expect(configured.files).toBe(without.files);
    expect(without.builderConfig).toBeNull();
    expect(configured.builderConfig).toMatchObject({ format: 'toml', digest: expect.stringMatching(/^sha256:/) });
    expect(configured.names).toEqual(['Containerfile']);
  });
});

it('finds private keys among what is sent', async () => {
  await put({
    Containerfile: 'FROM x',
    key: '-----BEGIN EC PRIVATE KEY-----\nx',
    'config.yaml': 'a:\n  client-key-data: AAAA\n',
    'cert.pem': '-----BEGIN CERTIFICATE-----',
    'ignored.pem': '-----BEGIN PRIVATE KEY-----',
    '.containerignore': 'ignored.pem',
  });
  expect((await pack()).privateKeys).toEqual(['config.yaml', 'key']);
});

describe('is refused before anything is sent', () => {
  it.each<[string, Partial<Parameters<typeof packContext>[0]>, string]>([
    ['a builder configuration of another format', { builderConfig: '/etc/hostname' }, 'neither a .toml nor a .json'],
    ['a Containerfile that is not there', { containerfile: '/nowhere' }, 'cannot be read'],
    ['a directory that is not there', { directory: '/nowhere' }, 'not a directory'],
  ])('%s', async (_, sources, message) => {
    await put({ Containerfile: 'FROM x' });
    await expect(pack(sources)).rejects.toMatchObject({
      failure: { kind: 'context-invalid', message: expect.stringContaining(message) },
    });
  });

  it('an include from outside of the context', async () => {
    await put({ 'Containerfile.in': '#include "../common.in"\n' });
    await writeFile(join(root, 'common.in'), '');
    await expect(pack({ containerfile: join(project, 'Containerfile.in') })).rejects.toThrow('outside of the context');
  });
});
