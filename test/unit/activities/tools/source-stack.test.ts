import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { sourceStack } from '../../../../activities/tools/source-stack.ts';

const THROWER = `interface Gone {}

function fail(): Gone {
  throw new Error('here');
}

try {
  fail();
} catch (error) {
  process.stdout.write((error as Error).stack!);
}
`;

it('names the places in the sources of what was bundled, and leaves all others', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-stack-'));
  try {
    const source = join(directory, 'thrower.ts');
    await writeFile(source, THROWER);
    const outfile = join(directory, 'out', 'thrower.mjs');
    await build({ entryPoints: [source], outfile, bundle: true, format: 'esm', sourcemap: 'linked' });
    const { stdout } = await execa(process.execPath, [outfile]);
    const before = stdout.split('\n');
    const after = sourceStack(stdout).split('\n');
    expect(before[1]).toContain('out/thrower.mjs:');
    expect(after[1]).toMatch(/^ {4}at fail \([^:]*\/thrower\.ts:4:9\)$/);
    expect(after[2]).toMatch(/^ {4}at [^:]*\/thrower\.ts:8:\d+$/);
    expect([after[0], ...after.slice(3)]).toEqual([before[0], ...before.slice(3)]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
