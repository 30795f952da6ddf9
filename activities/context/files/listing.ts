/** Lists the files of a context: all that podman does not ignore. */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { FlightlineError } from '../../../model/failure/failure.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import { showPath, textOfBytes } from './path-bytes.ts';

/** Relative to the context, with `/`, without `./`. */
export interface ContextEntry {
  path: Buffer;
  kind: 'file' | 'directory' | 'link';
}

/** The path of an entry in a directory (absolute). */
export function pathIn(directory: string, path: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), path]);
}

/**
 * Lists a context in byte order, so that a directory precedes its content. Includes the directories above a file that a
 * `!` rule includes.
 *
 * @param needed paths that podman reads whatever the rules say
 * @throws FlightlineError `context-invalid` for an unreadable file, and for a device, pipe or socket
 */
export async function listContext(
  directory: string,
  rules: IgnoreRules,
  needed: ReadonlySet<string> = new Set(),
): Promise<ContextEntry[]> {
  const facts = await stat(directory).catch(() => undefined);
  if (!facts?.isDirectory())
    throw new FlightlineError('context-invalid', `the context ${directory} is not a directory`);
  const entries: ContextEntry[] = [];
  await walk(Buffer.alloc(0), false);
  return entries.sort((left, right) => Buffer.compare(left.path, right.path));

  async function walk(below: Buffer, ignored: boolean): Promise<void> {
    for (const found of await read(below, ignored)) {
      const path = below.length === 0 ? found.name : Buffer.concat([below, Buffer.from('/'), found.name]);
      const name = textOfBytes(path);
      const isIgnored = rules.ignores(name) && !needed.has(name);
      if (found.isDirectory()) {
        const before = entries.length;
        entries.push({ path, kind: 'directory' });
        const above = [...needed].some((file) => file.startsWith(`${name}/`));
        if (!isIgnored || above || rules.reachesBelow(name)) await walk(path, isIgnored && !above);
        if (isIgnored && entries.length === before + 1) entries.pop();
      } else if (!isIgnored) entries.push({ path, kind: kindOf(found, path) });
    }
  }

  async function read(below: Buffer, ignored: boolean): Promise<Dirent<Buffer>[]> {
    try {
      return await readdir(pathIn(directory, below), { encoding: 'buffer', withFileTypes: true });
    } catch (error) {
      // podman copies what it can reach. It need not open each directory that a `!` rule might match.
      if (ignored && (error as NodeJS.ErrnoException).code === 'EACCES' && !rules.isWalked(textOfBytes(below)))
        return [];
      throw new FlightlineError(
        'context-invalid',
        `the directory ${showPath(below) || directory} of the context cannot be read: ${(error as Error).message}`,
        { remedy: 'make it readable, or name it in .containerignore' },
      );
    }
  }
}

function kindOf(found: Dirent<Buffer>, path: Buffer): ContextEntry['kind'] {
  if (found.isFile()) return 'file';
  if (found.isSymbolicLink()) return 'link';
  throw new FlightlineError(
    'context-invalid',
    `the context holds ${showPath(path)}, which is neither a file, a directory nor a link`,
    { remedy: 'remove it, or name it in .containerignore' },
  );
}
