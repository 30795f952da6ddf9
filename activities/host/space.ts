/** Reads a host's space: that of its file systems, and what releases have written below the work directory. */
import type { Dirent } from 'node:fs';
import { lstat, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** Free and total bytes. */
export interface Space {
  readonly free: number;
  readonly total: number;
}

/**
 * The smallest figures of the paths' file systems. Ignores paths that do not exist.
 */
export async function spaceOf(paths: readonly string[]): Promise<Space> {
  const space = { free: Number.MAX_SAFE_INTEGER, total: Number.MAX_SAFE_INTEGER };
  for (const path of paths) {
    const system = await statfs(path).catch(ifMissing(undefined));
    if (!system) continue;
    space.free = Math.min(space.free, system.bavail * system.bsize);
    space.total = Math.min(space.total, system.blocks * system.bsize);
  }
  return space;
}

/**
 * Bytes on disk below a directory. Counts what sparse files occupy, and hard links once. 0 when the directory does not
 * exist.
 */
export async function bytesBelow(directory: string): Promise<number> {
  const counted = new Set<number>();
  const walk = async (path: string): Promise<number> => {
    let sum = 0;
    for (const entry of await readdir(path, { withFileTypes: true }).catch(ifMissing<Dirent[]>([]))) {
      const below = join(path, entry.name);
      if (entry.isDirectory()) {
        sum += await walk(below);
        continue;
      }
      const facts = await lstat(below).catch(ifMissing(undefined));
      if (!facts || counted.has(facts.ino)) continue;
      counted.add(facts.ino);
      // st_blocks counts units of 512 bytes whatever the file system's own block is (stat(2)).
      sum += facts.blocks * 512;
    }
    return sum;
  };
  return walk(directory);
}

/** For `catch`: the value when a file does not exist, else throws the error. */
export function ifMissing<Value>(value: Value): (error: NodeJS.ErrnoException) => Value {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return value;
    throw error;
  };
}
