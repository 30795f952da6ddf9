/** Finds private keys in a context, which must not become public. */
import { open, stat } from 'node:fs/promises';
import { pathIn, type ContextEntry } from './listing.ts';
import { showPath } from './path-bytes.ts';

/** Larger files are not searched for keys (bytes). */
const LARGEST_KEY_FILE = 256 * 1024;
/** PEM private keys, and the key in a Flight Control agent configuration. */
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|^\s*client-key-data:\s*\S/m;

/** Files that seem to hold a private key, relative to the context. */
export async function findPrivateKeys(directory: string, entries: readonly ContextEntry[]): Promise<string[]> {
  const found: string[] = [];
  for (const { kind, path } of entries) {
    if (kind !== 'file') continue;
    const file = pathIn(directory, path);
    const { size } = await stat(file);
    if (size === 0 || size > LARGEST_KEY_FILE) continue;
    const handle = await open(file, 'r');
    try {
      if (PRIVATE_KEY.test(await handle.readFile('latin1'))) found.push(showPath(path));
    } finally {
      await handle.close();
    }
  }
  return found;
}
