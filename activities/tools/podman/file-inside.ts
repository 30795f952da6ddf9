/** Finds a file below the root of an image, and follows links as a container would. */
import { lstat, readlink } from 'node:fs/promises';
import { join, normalize } from 'node:path';

/** More links than this in a path are a loop, as in Linux. */
const MAX_LINKS = 40;

/** A file in an image. */
export interface ImageFile {
  kind: 'file' | 'directory' | 'other';
  /** Permission bits. */
  mode: number;
}

/**
 * The file at an absolute path below a root. Follows links within the root, as in a container. Null when there is none.
 */
export async function fileInside(root: string, path: string): Promise<ImageFile | null> {
  let links = 0;
  let rest = path.split('/');
  let at = '/';
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    // `normalize` of an absolute path never climbs above `/`.
    const next = normalize(`${at}/${name}`);
    const facts = await lstat(join(root, next)).catch(() => null);
    if (!facts) return null;
    if (!facts.isSymbolicLink()) {
      at = next;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return null;
    const target = await readlink(join(root, next));
    if (target.startsWith('/')) at = '/';
    rest = [...target.split('/'), ...rest];
  }
  const facts = await lstat(join(root, at));
  const kind = facts.isFile() ? 'file' : facts.isDirectory() ? 'directory' : 'other';
  return { kind, mode: facts.mode & 0o7777 };
}
