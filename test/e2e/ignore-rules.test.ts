/** Ignore rules mean here what they mean to podman: what is sent is compared with what podman copies. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { readIgnorePattern } from '../../activities/context/files/ignore-pattern.ts';
import { differencesOf, ignoreCases } from '../support/ignore-cases.ts';

const SEED = Number(process.env.FLIGHTLINE_SEED ?? 20_261_129);

it(`10 rules over trees, from the seed ${SEED}`, async () => {
  expect(await differencesOf(ignoreCases(SEED, 10))).toEqual([]);
});

/** Rule sets that were got wrong once, over one tree. */
const TREE: [string, string | null][] = [
  'source.txt',
  'a/b/c.log',
  'a/x.log',
  'a/.env',
  'top.log',
  'src/a.go',
  'src/deep/b.go',
  'src/deep/c.txt',
  'sub1/f',
  'sub1/sub1/g',
  'sub2/f',
  'dir with space/f',
  '.git/config',
  'node_modules/x/y',
  'keep/this',
  'keep/that',
  '#hash',
  '!bang',
  'a[1].txt',
  'Secret.TXT',
  'trail ',
  '.env',
].map((path) => [path, null]);
const RULES = [
  '*.log',
  '!./source.txt\n*',
  '*\n!source.txt',
  '*\n!*/sub1*',
  '*\n!sub1/',
  '**\n!**/*.go',
  '*\n!src/deep/b.go',
  'src/*\n!src/deep',
  '/sub1',
  '../sub1',
  'sub1//f',
  'a/**/c.log',
  'a/*',
  '*/*/*',
  '*',
  '/',
  '.*',
  '**/.env',
  'node_modules',
  '\\#hash',
  '\\!bang',
  '*\n!\\!bang',
  'a\\[1\\].txt',
  '[^s]*.txt',
  'sourc?.txt',
  'dir with space',
  '  sub2  ',
  'keep\n!keep/this\nkeep/this',
  'keep\n!keep',
  'alink',
  'alink/*',
  'a\n!a/b/',
  '**/deep/**',
  'src/**deep',
  '{a,src}',
  'a/../src',
  '.containerignore',
  '!*\n*.log',
  '*\n!src/deep/*',
  'top.log   # comment',
  'secret.txt\n!SECRET.txt',
  'a|src',
  'su(b1|b2)',
  'k+e*p',
  'src/a.go\r\nkeep/\r',
  '\uFEFFsrc',
  '*\n!Source.txt',
  '**/*\n!src',
  '*\n!src/**/*.txt',
];

it('rules that people write', async () => {
  const tree = new Map([...TREE, ['lnk', 'source.txt'], ['alink', 'a']] as const);
  expect(await differencesOf(RULES.map((rules) => ({ tree, rules: Buffer.from(rules).toString('latin1') })))).toEqual(
    [],
  );
});

it.each(['[a', 'a[]', 'a\\', '[]a]', '[b-a]', 'x{2}{3}', '!', 'a(b', '[a-]', '\\é'])(
  'the rule %j is refused by both',
  async (rule) => {
    expect(() => readIgnorePattern(rule)).toThrow();
    const directory = await mkdtemp(join(tmpdir(), 'flightline-rule-'));
    try {
      await mkdir(join(directory, 'context'));
      await writeFile(join(directory, 'context/.containerignore'), rule);
      await writeFile(join(directory, 'Containerfile'), 'FROM scratch\nCOPY . /\n');
      const file = `--file=${join(directory, 'Containerfile')}`;
      const build = await execa('podman', ['build', '--quiet', '--layers=false', file, join(directory, 'context')], {
        reject: false,
      });
      expect(build.exitCode, build.stderr).not.toBe(0);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
);
