/** Compiled code is kept where no other user can write. Node's own function is handed in: Node 20 has none. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, test } from 'vitest';
import { keepCompiledCode } from '../../../client/compile-cache.ts';

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'flightline-cache-'));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

/** The directories that Node was given. */
function given(environment: NodeJS.ProcessEnv = { XDG_CACHE_HOME: cache }): string[] {
  const directories: string[] = [];
  keepCompiledCode(environment, (directory) => directories.push(directory));
  return directories;
}

it('is a directory of the user alone', () => {
  const directory = join(cache, 'flightline/compiled');
  expect(given()).toEqual([directory]);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(given()).toEqual([directory]);
});

const isRoot = process.geteuid?.() === 0;
const make = () => mkdirSync(join(cache, 'flightline/compiled'), { recursive: true });

test.each<[string, boolean, () => void]>([
  [
    'is a link',
    true,
    () => {
      mkdirSync(join(cache, 'elsewhere/compiled'), { recursive: true });
      symlinkSync(join(cache, 'elsewhere'), join(cache, 'flightline'));
    },
  ],
  ['can be written by others', true, () => (make(), chmodSync(join(cache, 'flightline/compiled'), 0o777))],
  ['lies where others can write', true, () => chmodSync(cache, 0o777)],
  ['belongs to somebody else', isRoot, () => (make(), chownSync(join(cache, 'flightline'), 12_345, 12_345))],
])('is not used when it %s', (_, possible, prepare) => {
  if (!possible) return;
  prepare();
  expect(given()).toEqual([]);
});
