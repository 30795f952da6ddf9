/** Programs of another architecture on this machine, and images of several platforms. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { pack } from 'tar-stream';
import { tinyProgram } from '../../activities/tools/podman/container/tiny-program.ts';
import { ARCHITECTURES, architectureOf, type Architecture } from '../../model/base/host.ts';

/** The architecture that this machine does not have. */
export const FOREIGN: Architecture = ARCHITECTURES.find((one) => one !== architectureOf(process.arch))!;

/** What qemu-user-static registers with the kernel where systemd runs; one of these, by distribution. */
const REGISTRATIONS = { arm64: 'qemu-aarch64', amd64: 'qemu-x86_64' } as const;
/** Registers unless somebody has, and keeps it for as long as standard input is open: the last mount takes it away. */
const REGISTER = `set -e
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
[ -e /proc/sys/fs/binfmt_misc/$1 ] ||
  cat "$(ls /usr/lib/binfmt.d/$1.conf /usr/lib/binfmt.d/$1-static.conf 2>/dev/null | head -n 1)" \
    >/proc/sys/fs/binfmt_misc/register || [ -e /proc/sys/fs/binfmt_misc/$1 ]
echo ready
cat >/dev/null`;

/** Lets the kernel run programs of {@link FOREIGN}, with qemu-user-static. The returned function ends it. */
export async function emulate(): Promise<() => Promise<void>> {
  const args = ['--mount', 'bash', '-c', REGISTER, 'emulate', REGISTRATIONS[FOREIGN]];
  const child = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const said = await Promise.race([once(child.stdout, 'data'), ended]);
  if (!String(said[0]).startsWith('ready')) throw new Error('no emulation: is qemu-user-static installed?');
  return async () => {
    child.stdin.end();
    await ended;
  };
}

/** Pushes an index of an image for each architecture, whose shell does nothing; with another note another one. */
export async function pushIndex(reference: string, note = ''): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-index-'));
  const list = `localhost/flightline-test/index:${process.pid}-${process.hrtime.bigint()}`;
  const names: string[] = [];
  try {
    await execa('podman', ['manifest', 'create', list]);
    for (const architecture of ARCHITECTURES) {
      const archive = join(directory, `${architecture}.tar`);
      const tar = pack();
      tar.entry({ name: 'bin/sh', mode: 0o755 }, tinyProgram(architecture));
      tar.entry({ name: 'text' }, architecture + note);
      tar.finalize();
      await pipeline(tar, createWriteStream(archive));
      const about = [`--arch=${architecture}`, '--change', 'LABEL containers.bootc=1'];
      const name = `${list}-${architecture}`;
      await execa('podman', ['import', '--quiet', ...about, archive, name]);
      names.push(name);
      await execa('podman', ['manifest', 'add', list, `containers-storage:${name}`]);
    }
    await execa('podman', [
      'manifest',
      'push',
      '--quiet',
      '--all',
      '--tls-verify=false',
      list,
      `docker://${reference}`,
    ]);
  } finally {
    await execa('podman', ['manifest', 'rm', list], { reject: false });
    if (names.length > 0) await execa('podman', ['rmi', '--force', ...names], { reject: false });
    await rm(directory, { recursive: true, force: true });
  }
}
