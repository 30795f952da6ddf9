/**
 * The cgroup that the RUN steps of one `podman build` live in, and its end. Works with cgroup v2, v1 and both at once
 * (hybrid), and with podman's cgroupfs and systemd managers.
 */
import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { releaseKey } from '../../../model/release/inputs.ts';

/** Where Linux mounts cgroups: a v2 hierarchy itself, or a directory of v1 hierarchies and perhaps `unified`. */
const MOUNT = '/sys/fs/cgroup';

/** What `--cgroup-parent` is given for a release's build: a path for the cgroupfs manager, a slice for systemd's. */
export function buildCgroup(manager: 'cgroupfs' | 'systemd', installation: string, release: string): string {
  const key = releaseKey(release);
  // A dash in a slice's name is a level of the hierarchy.
  return manager === 'cgroupfs'
    ? `/flightline/${installation}/${key}`
    : `flightline-${installation.replaceAll('-', '')}-${key}.slice`;
}

/**
 * The directory of a cgroup below a hierarchy: a slice `a-b-c.slice` is `a.slice/a-b.slice/a-b-c.slice`
 * (systemd.slice(5)).
 */
export function cgroupPath(cgroup: string): string {
  if (!cgroup.endsWith('.slice')) return cgroup.replace(/^\/+/, '');
  const parts = cgroup.slice(0, -'.slice'.length).split('-');
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`).join('/');
}

/** The processes of a cgroup and of those below it, in every hierarchy. */
export async function cgroupProcesses(cgroup: string, mount = MOUNT): Promise<number[]> {
  const pids = new Set<number>();
  const trees = await Promise.all((await rootsOf(cgroup, mount)).map(treeOf));
  for (const directory of trees.flat()) {
    const text = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '');
    for (const line of text.split('\n')) if (/^\d+$/.test(line) && line !== '0') pids.add(Number(line));
  }
  return [...pids];
}

/** Sends SIGKILL to every process of a cgroup, once. Returns how many there were. */
export async function killCgroup(cgroup: string, mount = MOUNT): Promise<number> {
  for (const directory of await rootsOf(cgroup, mount)) {
    // Ends forking processes too; only cgroup v2 of Linux 5.14 and later has it.
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

/** The cgroup's directory in every hierarchy that has it. */
async function rootsOf(cgroup: string, mount: string): Promise<string[]> {
  const path = cgroupPath(cgroup);
  const hierarchies = [mount, ...(await directoriesIn(mount))];
  const candidates = [...new Set(hierarchies.map((hierarchy) => join(hierarchy, path)))];
  const present = await Promise.all(
    candidates.map((directory) =>
      readFile(join(directory, 'cgroup.procs')).then(
        () => true,
        () => false,
      ),
    ),
  );
  return candidates.filter((_, index) => present[index]);
}

/** A directory and every directory below, parents first. */
async function treeOf(directory: string): Promise<string[]> {
  const below = await Promise.all((await directoriesIn(directory)).map(treeOf));
  return [directory, ...below.flat()];
}

async function directoriesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
}
