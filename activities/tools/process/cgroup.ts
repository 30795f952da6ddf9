/**
 * The cgroup of a `podman build`'s RUN steps, and its end. Works with cgroup v2, v1 and both at once (hybrid), and with
 * podman's cgroupfs and systemd managers.
 */
import { rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { releaseKey } from '../../../model/release/inputs.ts';
import { MOUNT, treeOf, rootsOf, cgroupProcesses, cgroupPath } from './cgroup-processes.ts';

/**
 * `--cgroup-parent` for a release's build, or that of one of its platforms: a path for the cgroupfs manager, a slice
 * for systemd's.
 */
export function buildCgroup(
  manager: 'cgroupfs' | 'systemd',
  installation: string,
  release: string,
  platform?: string,
): string {
  const key = releaseKey(platform === undefined ? release : `${release} ${platform}`);
  // A dash in a slice's name is a level of the hierarchy.
  return manager === 'cgroupfs'
    ? `/flightline/${installation}/${key}`
    : `flightline-${installation.replaceAll('-', '')}-${key}.slice`;
}

/** Sends SIGKILL to every process of a cgroup, once. Returns how many there were. */
export async function killCgroup(cgroup: string, mount = MOUNT): Promise<number> {
  for (const directory of await rootsOf(cgroup, mount)) {
    // Also ends forking processes. Only cgroup v2 of Linux 5.14 and later has it.
    await writeFile(join(directory, 'cgroup.kill'), '1', { flag: 'r+' }).catch(() => undefined);
  }
  const pids = await cgroupProcesses(cgroup, mount);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  return pids.length;
}

/** Removes an empty cgroup, those below it, and flightline's own above it. One that is not empty stays. */
export async function removeCgroup(cgroup: string, mount = MOUNT): Promise<void> {
  for (const root of await rootsOf(cgroup, mount)) {
    for (const directory of (await treeOf(root)).reverse()) await rmdir(directory).catch(() => undefined);
    const own = cgroupPath(cgroup).split('/').length - 1;
    let above = dirname(root);
    for (let level = 0; level < own; level++, above = dirname(above)) await rmdir(above).catch(() => undefined);
  }
}
