/** Every verb with `--json` says which published schema its documents have, and prints such documents. */
import { mkdtempSync, rmSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import deviceConfig from '../../../client/commands/device-config.ts';
import init from '../../../client/commands/init.ts';
import lint from '../../../client/commands/lint.ts';
import version from '../../../client/commands/version.ts';
import type { Output } from '../../../client/terminal/output.ts';
import type { AnyVerb, VerbFamily } from '../../../client/verb.ts';
import { JSON_SCHEMAS } from '../../../model/json-schema.ts';
import { checkDocument } from '../../support/documents.ts';

const COMMANDS = join(import.meta.dirname, '../../../client/commands');
/** Schemas of files and of what others than verbs send. */
const NOT_OF_VERBS = ['error', 'flightline', 'notification', 'worker'];

/** All verbs by what is typed: `run`, `schedule set`. */
const verbs = new Map<string, AnyVerb>();
for (const file of await readdir(COMMANDS)) {
  const { default: made } = (await import(join(COMMANDS, file))) as { default: AnyVerb | VerbFamily };
  const name = basename(file, '.ts');
  if (!('verbs' in made)) verbs.set(name, made);
  else for (const [own, inner] of Object.entries(made.verbs)) verbs.set(`${name} ${own}`, inner);
}

it('each schema is of a verb, a file or a message', () => {
  const named = new Set([...[...verbs.values()].flatMap(({ json }) => json?.schemas ?? []), ...NOT_OF_VERBS]);
  expect([...named].toSorted()).toEqual(Object.keys(JSON_SCHEMAS).toSorted());
});

it('what no schema has is told', async () => {
  await expect(checkDocument(['version'], '{"version": 1}')).rejects.toThrow('version: data');
  await expect(checkDocument(['version'], '{"error": {"kind": "usage"}}')).rejects.toThrow('error: data');
});

describe('what is printed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'flightline-documents-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const printed: string[] = [];
  const output: Output = {
    json: true,
    live: false,
    colour: { result: false, progress: false },
    result: () => undefined,
    document: (value) => void printed.push(JSON.stringify(value)),
    note: () => undefined,
  };
  const spec = join(directory, 'flightline.yaml');
  const key = join(directory, 'release.pub');
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  const steps: [string, () => Promise<number>][] = [
    ['version', () => version.run([], {}, output)],
    [
      'init',
      () =>
        init.run(
          [directory],
          {
            target: 'vsphere',
            base: 'fedora',
            binding: 'late',
            podmanCompose: false,
            repository: 'quay.io/acme/edge',
          } as Parameters<typeof init.run>[1],
          output,
        ),
    ],
    ['lint', () => lint.run([spec], {}, output)],
    [
      'device-config',
      async () => {
        await writeFile(key, publicKey.export({ type: 'spki', format: 'pem' }));
        return deviceConfig.run([spec], { output: join(directory, 'device'), publicKey: key }, output);
      },
    ],
  ];
  it.each(steps)('by %s', async (name, run) => {
    expect(await run()).toBe(0);
    await checkDocument([name], printed.pop()!);
  });
});
