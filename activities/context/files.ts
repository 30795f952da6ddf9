/** Which files of a directory belong to a context: everything but what .containerignore names. */
import { lstat, open, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import dockerignore from '@balena/dockerignore';
import { FlightlineError } from '../../model/release/failure.ts';

/** A file, directory or link of a context. `path` is relative, with `/`, and never begins with `./`. */
export interface ContextFile {
  path: string;
  kind: 'file' | 'directory' | 'link';
  /** Permission bits. */
  mode: number;
  /** Bytes; 0 for directories and links. */
  size: number;
  /** Target of a link, as written. */
  target: string | null;
}

/** Looked for in this order, as podman does. */
const IGNORE_FILES = ['.containerignore', '.dockerignore'];
/** A key file is small: larger files are not searched for one (bytes). */
const LARGEST_KEY_FILE = 256 * 1024;
/** PEM private keys of all kinds, and the key inside a Flight Control agent configuration. */
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|^\s*client-key-data:\s*\S/m;

/**
 * Lists a context's files in byte order of their paths.
 *
 * @throws FlightlineError `context-invalid` when the directory cannot be read or holds a device, pipe or socket.
 */
export async function listContextFiles(directory: string): Promise<ContextFile[]> {
  const isDirectory = await lstat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory) throw new FlightlineError('context-invalid', `the context ${directory} is not a directory`);
  const rules = await readIgnoreRules(directory);
  const files: ContextFile[] = [];
  await walk('');
  return files.sort((left, right) => Buffer.compare(Buffer.from(left.path), Buffer.from(right.path)));

  async function walk(below: string): Promise<void> {
    for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      const ignored = rules.ignores(path);
      const facts = await lstat(join(directory, path));
      if (facts.isDirectory()) {
        // A later rule may take a file of an ignored directory back in (`!keep/this`), so it is walked all the same.
        if (!ignored) files.push({ path, kind: 'directory', mode: facts.mode & 0o7777, size: 0, target: null });
        if (!ignored || rules.takesBack) await walk(path);
      } else if (ignored) {
        continue;
      } else if (facts.isSymbolicLink()) {
        files.push({ path, kind: 'link', mode: 0o777, size: 0, target: await readlink(join(directory, path)) });
      } else if (facts.isFile()) {
        files.push({ path, kind: 'file', mode: facts.mode & 0o7777, size: facts.size, target: null });
      } else {
        throw new FlightlineError(
          'context-invalid',
          `the context holds ${path}, which is neither a file, a directory nor a link`,
          {
            remedy: 'remove it, or name it in .containerignore',
          },
        );
      }
    }
  }
}

async function readIgnoreRules(directory: string): Promise<{ ignores(path: string): boolean; takesBack: boolean }> {
  for (const name of IGNORE_FILES) {
    const text = await readFile(join(directory, name), 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const rules = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
    const matcher = dockerignore.default().add(rules);
    return { ignores: (path) => matcher.ignores(path), takesBack: rules.some((rule) => rule.trim().startsWith('!')) };
  }
  return { ignores: () => false, takesBack: false };
}

/** The files of the list that look like private keys: by their content, or in the manner of `~/.ssh/id_*`. */
export async function findPrivateKeys(directory: string, files: readonly ContextFile[]): Promise<string[]> {
  const found: string[] = [];
  for (const file of files) {
    if (file.kind !== 'file' || file.size === 0 || file.size > LARGEST_KEY_FILE) continue;
    const handle = await open(join(directory, file.path), 'r');
    try {
      if (PRIVATE_KEY.test(await handle.readFile('latin1'))) found.push(file.path);
    } finally {
      await handle.close();
    }
  }
  return found;
}
