/** The private files of registry commands: nothing of a killed process stays. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { removeLeftAccess, withRegistryAccess } from '../../../../../activities/tools/registry/access.ts';

const ROOT = join(import.meta.dirname, '../../../../..');
const CHILD = `
import { withRegistryAccess } from '${ROOT}/activities/tools/registry/access.ts';
setInterval(() => undefined, 1000);
await withRegistryAccess({ registries: [] }, [], () => {
  console.log('ready');
  return new Promise(() => undefined);
});
`;

it('removes the logins of a killed process, and leaves those of a living one', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-access-'));
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = directory;
  try {
    const args = ['--import', 'tsx', '--input-type=module', '--eval', CHILD];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const own = async () => (await readdir(directory)).filter((name) => name.startsWith('flightline-registry-'));
    await withRegistryAccess({ registries: [] }, [], async (access) => {
      expect(await own()).toHaveLength(2);
      await removeLeftAccess();
      expect(await own()).toHaveLength(2);
      child.kill('SIGKILL');
      await once(child, 'exit');
      await removeLeftAccess();
      expect((await own()).map((name) => join(directory, name))).toEqual([access.directory]);
    });
    expect(await own()).toEqual([]);
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    await rm(directory, { recursive: true, force: true });
  }
}, 60_000);
