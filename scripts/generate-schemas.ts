import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  flightlineJsonSchema,
  hostsJsonSchema,
  listJsonSchema,
  notificationJsonSchema,
  recordJsonSchema,
  workerConfigurationJsonSchema,
} from '../model/json-schema.ts';

/**
 * Writes the JSON Schemas of the package, which editors and other programs read; with `--check`, only says whether the
 * files are what the code would write (exit code 1 when not).
 */
const DIRECTORY = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'schemas');

const FILES: Record<string, () => object> = {
  'flightline.schema.json': flightlineJsonSchema,
  'hosts.schema.json': hostsJsonSchema,
  'list.schema.json': listJsonSchema,
  'notification.schema.json': notificationJsonSchema,
  'record.schema.json': recordJsonSchema,
  'worker.schema.json': workerConfigurationJsonSchema,
};

const check = process.argv.includes('--check');
await mkdir(DIRECTORY, { recursive: true });
const stale: string[] = [];
for (const [name, schema] of Object.entries(FILES)) {
  const file = path.join(DIRECTORY, name);
  const text = `${JSON.stringify(schema(), null, 2)}\n`;
  const before = await readFile(file, 'utf8').catch(() => '');
  if (before === text) continue;
  stale.push(`schemas/${name}`);
  if (!check) await writeFile(file, text);
}
if (stale.length === 0) {
  console.error('The JSON Schemas are up to date.');
} else if (check) {
  console.error(`error: ${stale.join(' and ')} are not what model/ says. Run "npm run schemas" and commit the result.`);
  process.exitCode = 1;
} else {
  console.error(`Wrote ${stale.join(', ')}.`);
}
