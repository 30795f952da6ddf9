import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readIgnoreRules } from '../../../../../activities/context/files/ignore-rules.ts';
import { listContext } from '../../../../../activities/context/files/listing.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'flightline-listing-test-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function put(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

async function listed(containerfile = 'Containerfile', ignoreFile?: string): Promise<string[]> {
  const place = { directory: root, containerfile: join(root, containerfile) };
  const rules = await readIgnoreRules(ignoreFile === undefined ? place : { ...place, ignoreFile });
  return (await listContext(root, rules)).map(({ path }) => path.toString());
}

it('lists in byte order, directories before what is in them', async () => {
  await put({ 'b/x': '1', a: '2', 'B/y': '3', 'b-c': '4' });
  expect(await listed()).toEqual(['B', 'B/y', 'a', 'b', 'b-c', 'b/x']);
});

describe('rules', () => {
  it.each([
    ['*.log', ['a.txt', 'd', 'd/b.log']],
    ['**/*.log', ['a.txt', 'd']],
    ['d', ['a.log', 'a.txt']],
    ['D\nA.txt', ['a.log', 'a.txt', 'd', 'd/b.log']],
    ['*\n!a.txt', ['a.txt']],
    ['*\n!d/b.log', ['d', 'd/b.log']],
    ['# d\n\nd', ['a.log', 'a.txt']],
    ['d\n!**/b.log', ['a.log', 'a.txt', 'd', 'd/b.log']],
  ])('%j', async (rules, expected) => {
    await put({ 'a.txt': '', 'a.log': '', 'd/b.log': '', '.containerignore': `.containerignore\n${rules}` });
    expect(await listed()).toEqual(expected);
  });

  it('of the file that is named, else beside the Containerfile, else in the context', async () => {
    const directory = { a: '', b: '', c: '', d: '' };
    const all = ['a', 'b', 'c', 'd'];
    const names = async (...given: [string?, string?]) => (await listed(...given)).filter((name) => all.includes(name));
    await put({ ...directory, '.dockerignore': 'a' });
    expect(await names('Edge')).toEqual(all.filter((name) => name !== 'a'));
    await put({ '.containerignore': 'b' });
    expect(await names('Edge')).toEqual(all.filter((name) => name !== 'b'));
    await put({ 'Edge.containerignore': 'c' });
    expect(await names('Edge')).toEqual(all.filter((name) => name !== 'c'));
    await put({ 'e/own': 'd' });
    expect(await names('Edge', join(root, 'e/own'))).toEqual(all.filter((name) => name !== 'd'));
  });

  it.each([
    ['a directory', () => mkdir(join(root, '.containerignore')), 'it is a directory'],
    [
      'a link that leaves the context',
      () => symlink('/etc/hostname', join(root, '.dockerignore')),
      'leaves the context',
    ],
    [
      'a rule without an end',
      () => writeFile(join(root, '.dockerignore'), 'x\n[a'),
      ':2: "[a": syntax error in pattern',
    ],
    ['a rule that takes nothing back', () => writeFile(join(root, '.dockerignore'), '!'), 'illegal exclusion pattern'],
  ])('from %s are refused', async (_, make, message) => {
    await make();
    await expect(listed()).rejects.toMatchObject({
      failure: { kind: 'context-invalid', message: expect.stringContaining(message) },
    });
  });
});

it('refuses a pipe, with the way out, unless it is ignored', async () => {
  await put({ a: '1' });
  execFileSync('mkfifo', [join(root, 'pipe')]);
  await expect(listed()).rejects.toMatchObject({
    failure: { kind: 'context-invalid', remedy: { action: expect.stringContaining('.containerignore') } },
  });
  await put({ '.containerignore': 'pipe' });
  expect(await listed()).toEqual(['.containerignore', 'a']);
});
