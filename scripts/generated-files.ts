import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/**
 * Writes files whose content follows from the code. With `--check` on the command line it writes nothing, and ends with
 * exit code 1 when a file differs. `files` maps a path, relative to the repository, to a function from its present text
 * ('' when it does not exist) to the text it must have. `command` is what a person runs to write them.
 */
export async function writeGenerated(
  files: Record<string, (before: string) => string>,
  command: string,
): Promise<void> {
  const check = process.argv.includes('--check');
  const stale: string[] = [];
  for (const [name, textOf] of Object.entries(files)) {
    const file = path.join(ROOT, name);
    const before = await readFile(file, 'utf8').catch(() => '');
    const text = textOf(before);
    if (before === text) continue;
    stale.push(name);
    if (!check) await writeFile(file, text);
  }
  if (stale.length === 0) {
    console.error(`${Object.keys(files).join(', ')}: up to date.`);
  } else if (check) {
    console.error(`error: not what the code says: ${stale.join(', ')}. Run "${command}" and commit the result.`);
    process.exitCode = 1;
  } else {
    console.error(`Wrote ${stale.join(', ')}.`);
  }
}
