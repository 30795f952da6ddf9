/** Checks the free space for builds: in the work directory and in podman's storage. */
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failed, ok, warning, type Check, type CheckResult } from '../check.ts';

const GIB = 1024 ** 3;
/** What a builder run of a usual image needs: the image twice, the build tree and the disks (bytes). */
const WANTED = 40 * GIB;
/** With less than this not even the disks of a small image fit (bytes). */
const NEEDED = 10 * GIB;

/** The result for the free bytes of a place. */
export function spaceResult(what: string, path: string, free: number): CheckResult {
  const detail = `${(free / GIB).toFixed(0)} GiB free for ${what} (${path})`;
  const remedy = `free space there, or move it: a usual build needs ${WANTED / GIB} GiB`;
  if (free < NEEDED) return failed(detail, remedy);
  return free < WANTED ? warning(detail, remedy) : ok(detail);
}

async function freeBytes(path: string): Promise<number> {
  let existing = path;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = await statfs(existing);
  return bavail * bsize;
}

export const spaceChecks: readonly Check[] = [
  {
    name: 'space for work',
    roles: ['build'],
    run: async ({ configuration }) => {
      const path = configuration.directories.work;
      return spaceResult('the work directory', path, await freeBytes(path));
    },
  },
  {
    name: 'space for images',
    roles: ['build'],
    run: async () => {
      const path = '/var/lib/containers/storage';
      return spaceResult("podman's images", path, await freeBytes(path));
    },
  },
];
