/** Node's cache of compiled code, in a directory that only this user can write to. */
import { lstatSync, mkdirSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Keeps compiled code from one start to the next (Node 22.1 and later). By itself Node takes a path in the shared
 * temporary directory that any local user can make first, with code of theirs in it. Without a directory of the user's
 * own nothing is kept.
 *
 * @returns the directory, or null when there is none.
 */
export function keepCompiledCode(
  environment: NodeJS.ProcessEnv = process.env,
  enable = (module as { enableCompileCache?: (directory: string) => unknown }).enableCompileCache,
): string | null {
  if (!enable) return null;
  const cache = environment.XDG_CACHE_HOME?.startsWith('/') ? environment.XDG_CACHE_HOME : join(homedir(), '.cache');
  const directory = join(cache, 'flightline', 'compiled');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const part of [cache, join(cache, 'flightline'), directory]) if (!isOurs(part)) return null;
    enable(directory);
    return directory;
  } catch {
    return null;
  }
}

/** A directory (not a link) that belongs to this user, and that nobody else can write to. */
function isOurs(path: string): boolean {
  const found = lstatSync(path);
  return found.isDirectory() && found.uid === process.geteuid?.() && (found.mode & 0o022) === 0;
}
