/** `flightline boot` on a terminal: the firmware of an empty disk speaks, keys are the guest's, and Ctrl-] ends it. */
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { COMMAND } from '../support/flightline.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-boot-test-'));
  await writeFile(join(directory, 'empty.raw'), '');
  await truncate(join(directory, 'empty.raw'), 1024 * 1024);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

it('shows the serial console, and leaves nothing behind', async () => {
  const own = join(directory, 'own');
  const command = `mkdir ${own}; TMPDIR=${own} ${process.execPath} ${COMMAND} boot empty.raw --no-kvm`;
  const terminal = execa('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd: directory,
    env: { TERM: 'xterm' },
    reject: false,
    timeout: 120_000,
  });
  let shown = '';
  let left = false;
  terminal.stdout.on('data', (bytes: Buffer) => {
    shown += bytes.toString();
    // What UEFI firmware says first, whatever comes then.
    if (left || !/BdsDxe|UEFI/.test(shown)) return;
    left = true;
    // Ctrl-C is the guest's.
    terminal.stdin.write('\u0003');
    setTimeout(() => terminal.stdin.write('\u001D'), 500);
  });
  const { exitCode } = await terminal;
  expect(exitCode, shown).toBe(0);
  expect(shown).toContain(`booting ${directory}/empty.raw by emulation; Ctrl-] ends it`);
  expect(shown).toContain('ended; what it wrote is thrown away');
  expect((await readdir(own)).filter((name) => name.startsWith('flightline'))).toEqual([]);
});
