/** The directories of a cgroup, and the processes in it. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where Linux mounts cgroups: a v2 hierarchy itself, or a directory of v1 hierarchies and perhaps `unified`. */
export const MOUNT = '/sys/fs/cgroup';

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

/** The cgroup's directory in every hierarchy that has it. */
export async function rootsOf(cgroup: string, mount: string): Promise<string[]> {
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
export async function treeOf(directory: string): Promise<string[]> {
  const below = await Promise.all((await directoriesIn(directory)).map(treeOf));
  return [directory, ...below.flat()];
}

async function directoriesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
}
