/** The private files of registry commands: nothing of a killed process stays. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { identityOf } from '../../../../../activities/tools/process/process-identity.ts';
import {
  removeLeftAccess,
  withFreshToken,
  withRegistryAccess,
} from '../../../../../activities/tools/registry/access.ts';
import { FlightlineError } from '../../../../../model/failure/failure.ts';
import type { FailureKind } from '../../../../../model/failure/failures.ts';

const ROOT = join(import.meta.dirname, '../../../../..');
const CHILD = `
import { withRegistryAccess } from '${ROOT}/activities/tools/registry/access.ts';
setInterval(() => undefined, 1000);
await withRegistryAccess({ registries: [] }, [], () => {
  console.log('ready');
  return new Promise(() => undefined);
});
`;

/** Runs `body` with a temporary directory of the test's own. */
async function inTemporary(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-access-'));
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = directory;
  try {
    await body(directory);
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    await rm(directory, { recursive: true, force: true });
  }
}

it(
  'removes the logins of a killed process, and leaves those of a living one',
  () =>
    inTemporary(async (directory) => {
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
    }),
  60_000,
);

describe('work that a registry refuses because of its login', () => {
  const refused = (kind: FailureKind) => new FlightlineError(kind, '401 Unauthorized');
  /** Fails so often, and counts. */
  const failing = (times: number, kind: FailureKind = 'registry-login') => {
    const work = { tries: 0, run: async () => (++work.tries > times ? 'done' : Promise.reject(refused(kind))) };
    return work;
  };

  it('is done once more, with the token that its program fetches then', async () => {
    const work = failing(1);
    expect(await withFreshToken(work.run)).toBe('done');
    expect(work.tries).toBe(2);
  });

  it('says that a fresh token made no difference', async () => {
    const work = failing(9);
    await expect(withFreshToken(work.run)).rejects.toMatchObject({
      failure: { kind: 'registry-login', message: '401 Unauthorized; a fresh token made no difference' },
    });
    expect(work.tries).toBe(2);
  });

  it('is done once where something else is wrong', async () => {
    const work = failing(9, 'registry-denied');
    await expect(withFreshToken(work.run)).rejects.toMatchObject({ failure: { kind: 'registry-denied' } });
    expect(work.tries).toBe(1);
  });
});

it.runIf(process.geteuid?.() === 0)('touches nothing of another user, whatever its name', () =>
  inTemporary(async (directory) => {
    // The name says: of a process that ended, on this machine.
    const theirs = join(directory, `flightline-registry-4194304.${identityOf(process.pid)!.started}.abcdef`);
    await mkdir(theirs);
    await chown(theirs, 65_534, 65_534);
    await removeLeftAccess();
    expect(await readdir(directory)).toHaveLength(1);
    await chown(theirs, 0, 0);
    await removeLeftAccess();
    expect(await readdir(directory)).toEqual([]);
  }),
);
