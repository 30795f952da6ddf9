/** The examples for CI systems are what GitHub and GitLab take, by the schemas that check-jsonschema brings. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const VERSION = '0.39.0';
/** Kept: it is fetched from PyPI once. */
const CACHE = join(homedir(), '.cache/flightline', `check-jsonschema-${VERSION}`);
const PROGRAM = join(CACHE, 'bin/check-jsonschema');

let directory: string;
/** Why the program cannot be had here. */
let lacking: string | undefined;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-ci-examples-'));
  if (existsSync(PROGRAM)) return;
  try {
    await execa('python3', ['-m', 'venv', CACHE]);
    await execa(join(CACHE, 'bin/pip'), ['install', '--quiet', `check-jsonschema==${VERSION}`], { timeout: 120_000 });
  } catch (error) {
    await rm(CACHE, { recursive: true, force: true });
    lacking = `python3 -m venv and pip do not give check-jsonschema ${VERSION}: ${(error as Error).message}`;
  }
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe.each([
  ['examples/ci/github/flightline.yml', ['vendor.github-workflows'], /runs-on: ubuntu-latest/],
  ['examples/ci/gitlab/.gitlab-ci.yml', ['vendor.gitlab-ci', '--data-transform', 'gitlab-ci'], /timeout: 6h/],
])('%s', (file, schema, line) => {
  const check = (path: string) =>
    execa(PROGRAM, ['--builtin-schema', ...schema, path], { reject: false, env: { NO_COLOR: '1' } });

  it('is as its schema says', async ({ skip }) => {
    skip(lacking !== undefined, lacking);
    const { exitCode, all, stdout } = await check(join(ROOT, file));
    expect(exitCode, all ?? stdout).toBe(0);
  });

  it('with a mistake is not', async ({ skip }) => {
    skip(lacking !== undefined, lacking);
    const text = await readFile(join(ROOT, file), 'utf8');
    const wrong = join(directory, 'wrong.yml');
    await writeFile(wrong, text.replace(line, 'runs-onn: [1]'));
    expect((await check(wrong)).exitCode).toBe(1);
  });
});
