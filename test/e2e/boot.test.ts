/** `flightline boot` on a terminal: the firmware of an empty disk speaks, keys are the guest's, and Ctrl-] ends it. */
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { writeSeed } from '../../client/fetch/seed.ts';
import { COMMAND } from '../support/flightline.ts';

const KEY = `ssh-ed25519 ${'A'.repeat(68)} ann@example`;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-boot-test-'));
  await writeFile(join(directory, 'empty.raw'), '');
  await truncate(join(directory, 'empty.raw'), 1024 * 1024);
  await writeFile(join(directory, 'key.pub'), `${KEY}\n`);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

it('shows the serial console, and leaves nothing behind', async () => {
  const own = join(directory, 'own');
  const user = '--ssh-key key.pub --user ann';
  const command = `mkdir ${own}; TMPDIR=${own} ${process.execPath} ${COMMAND} boot empty.raw --no-kvm ${user}`;
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

it('seeds cloud-init by a file system of the label that it looks for', async () => {
  const seed = join(directory, 'seed');
  await writeSeed(seed, { name: 'ann', key: KEY });
  const raw = join(directory, 'seed.raw');
  await execa('qemu-img', ['convert', '-O', 'raw', '--image-opts', `driver=vvfat,dir=${seed},label=CIDATA`, raw]);
  // The first partition begins with the 63rd sector.
  const { stdout } = await execa('blkid', ['--probe', '--offset', String(63 * 512), '--output', 'export', raw]);
  expect(stdout).toMatch(/^LABEL=CIDATA$/m);
  const bytes = await readFile(raw, 'latin1');
  expect(bytes).toContain(await readFile(join(seed, 'user-data'), 'latin1'));
  const [first, ...rest] = (await readFile(join(seed, 'user-data'), 'utf8')).split('\n');
  expect(first).toBe('#cloud-config');
  expect(parse(rest.join('\n'))).toEqual({
    users: [{ name: 'ann', sudo: 'ALL=(ALL) NOPASSWD:ALL', shell: '/bin/bash', ssh_authorized_keys: [KEY] }],
  });
  expect(parse(await readFile(join(seed, 'meta-data'), 'utf8'))).toHaveProperty('instance-id');
});
