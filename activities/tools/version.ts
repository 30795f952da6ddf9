/** The package's version. */
import { existsSync, readFileSync } from 'node:fs';

/** As in package.json, which lies two directories up from the sources and three up from the compiled files. */
export function version(): string {
  for (const up of ['../..', '../../..']) {
    const file = new URL(`${up}/package.json`, import.meta.url);
    if (!existsSync(file)) continue;
    const { version: found } = JSON.parse(readFileSync(file, 'utf8')) as { version?: string };
    if (found) return found;
  }
  return 'unknown';
}
