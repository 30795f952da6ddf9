/** Directories that last as long as some work, and never longer than this process. */
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory that only this user can read. */
interface TemporaryDirectory {
  path: string;
  /** It may be called again, and while a program still writes there. */
  remove: () => Promise<void>;
}

const REMOVAL = { recursive: true, force: true, maxRetries: 5, retryDelay: 50 };

const standing = new Set<string>();

// A signal ends a command between two steps, and no `finally` runs then.
process.on('exit', () => {
  for (const path of standing) rmSync(outOfReach(path), REMOVAL);
});

/** Renames a directory, so that no program that still runs adds a file to it while it is removed. */
function outOfReach(path: string): string {
  try {
    renameSync(path, `${path}-ended`);
    return `${path}-ended`;
  } catch {
    return path;
  }
}

/** Makes a directory below `parent`. What is not removed by then is removed when the process exits. */
export function temporaryDirectory(prefix: string, parent = tmpdir()): TemporaryDirectory {
  // In one step with its entry in the list, so that no signal comes between.
  const path = mkdtempSync(join(parent, prefix));
  standing.add(path);
  const remove = async () => {
    await rm(path, REMOVAL);
    standing.delete(path);
  };
  return { path, remove };
}

/** Runs `work` with a directory of its own. */
export async function withTemporaryDirectory<Result>(
  prefix: string,
  work: (directory: string) => Promise<Result>,
  parent?: string,
): Promise<Result> {
  const { path, remove } = temporaryDirectory(prefix, parent);
  try {
    return await work(path);
  } finally {
    await remove();
  }
}
