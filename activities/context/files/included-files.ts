/** Finds what a `Containerfile.in` includes. podman runs cpp on it, which reads ignored files too. */
import { readFile, realpath } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { FlightlineError } from '../../../model/failure/failure.ts';

const INCLUDE = /^[ \t]*#[ \t]*include[ \t]+["<]([^">\n]+)[">]/gm;

/**
 * The files of a context that a Containerfile includes, directly or not, relative to the context. cpp decides which of
 * them it takes, and reports what is missing.
 *
 * @throws FlightlineError `context-invalid` for a file outside the context
 */
export async function includedFiles(containerfile: string, text: Buffer, directory: string): Promise<Set<string>> {
  const found = new Set<string>();
  if (!containerfile.endsWith('.in')) return found;
  const root = await realpath(directory);
  await follow(text.toString('utf8'), root);
  return found;

  async function follow(content: string, beside: string): Promise<void> {
    for (const [, name] of content.matchAll(INCLUDE)) {
      const file = await firstOf([join(beside, name!), join(root, name!)]);
      if (file === undefined) continue;
      const path = relative(root, file);
      if (name!.startsWith('/') || path.startsWith(`..${sep}`)) {
        throw new FlightlineError(
          'context-invalid',
          `the Containerfile includes ${name}, which is outside of the context`,
          {
            remedy: 'move the file into the context',
          },
        );
      }
      if (found.has(path)) continue;
      found.add(path);
      await follow(await readFile(file, 'utf8'), dirname(file));
    }
  }
}

async function firstOf(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const real = await realpath(file).catch(() => undefined);
    if (real !== undefined) return real;
  }
  return undefined;
}
