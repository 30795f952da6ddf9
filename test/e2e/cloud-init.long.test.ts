/** The seed of `flightline boot --ssh-key` is read by a real cloud-init, of Debian's package, in a root of its own. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeSeed } from '../../client/fetch/seed.ts';

const KEY = `ssh-ed25519 ${'A'.repeat(68)} ann@example`;
const SEED = 'var/lib/cloud/seed/nocloud';
/** What systemd's units of cloud-init run, one after the other. */
const STAGES = ['cloud-init init --local', 'cloud-init init', 'cloud-init modules --mode=config'];

let directory: string;
let root: string;
/** Why the packages cannot be had here. */
let lacking: string | undefined;
let output: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-cloud-init-'));
  root = join(directory, 'root');
  try {
    await execa('mmdebstrap', ['--variant=minbase', '--include=cloud-init,openssh-client,sudo', 'trixie', root]);
  } catch (error) {
    lacking = `mmdebstrap gives no root: ${(error as Error).message.split('\n').at(-1)}`;
    return;
  }
  await mkdir(join(root, 'var/lib/cloud/seed'), { recursive: true });
  await writeSeed(join(root, SEED), { name: 'ann', key: KEY });
  await writeFile(join(root, 'etc/cloud/cloud.cfg.d/99-test.cfg'), 'datasource_list: [NoCloud]\n');
  const inside = ['set -e', 'export PATH=/usr/sbin:/usr/bin:/sbin:/bin', ...STAGES].join('\n');
  const script =
    'mount -t proc proc "$1/proc" && mount -t sysfs sysfs "$1/sys" && mount -t tmpfs tmpfs "$1/run" && ' +
    'exec chroot "$1" sh -c "$2"';
  // With a network, a mount table and processes of its own: cloud-init sets up the machine that it finds.
  const own = ['--mount', '--net', '--pid', '--ipc', '--uts', '--fork', '--kill-child', '--propagation', 'private'];
  const { all } = await execa('unshare', [...own, 'sh', '-c', script, 'sh', root, inside], { all: true });
  output = all;
});
afterAll(() => rm(directory, { recursive: true, force: true }));

it('makes the user, who may log in by the key and become root', async ({ skip }) => {
  skip(lacking !== undefined, lacking);
  expect(await readFile(join(root, 'etc/passwd'), 'utf8'), output).toMatch(/^ann:x:\d+:\d+::\/home\/ann:\/bin\/bash$/m);
  const keys = join(root, 'home/ann/.ssh/authorized_keys');
  expect(await readFile(keys, 'utf8')).toBe(`${KEY}\n`);
  expect((await stat(keys)).mode & 0o777).toBe(0o600);
  const files = (await readdir(join(root, 'etc/sudoers.d'))).map((name) => join(root, 'etc/sudoers.d', name));
  const rules = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
  expect(rules).toMatch(/^ann ALL=\(ALL\) NOPASSWD:ALL$/m);
});

it('finds nothing to complain of in the seed', async ({ skip }) => {
  skip(lacking !== undefined, lacking);
  const { stdout, stderr } = await execa('chroot', [
    root,
    'cloud-init',
    'schema',
    '--config-file',
    `/${SEED}/user-data`,
  ]);
  expect(stdout + stderr).toContain('Valid schema');
  const log = await readFile(join(root, 'var/log/cloud-init.log'), 'utf8');
  expect(log).toContain(`DataSourceNoCloud [seed=/${SEED}]`);
  expect(log).not.toMatch(/invalid cloud-config|schema.*(?:WARNING|error)/i);
});
