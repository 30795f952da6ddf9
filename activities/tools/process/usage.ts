/** What a cgroup's processes have used, to tell whether a silent program works. cgroup v2, v1 and both at once. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupProcesses } from './cgroup-processes.ts';

/** Sums since the cgroup was made. What cannot be read counts as 0. */
interface CgroupUsage {
  /** Processor time in milliseconds. */
  cpu: number;
  /**
   * Bytes read from and written to storage, as the cgroup and its processes know it; it may fall when a process ends.
   */
  io: number;
}

/** The usage of a process's cgroup, with those below it. */
export async function cgroupUsage(
  pid: number,
  { proc, mount }: { proc: string; mount: string } = { proc: '/proc', mount: '/sys/fs/cgroup' },
): Promise<CgroupUsage> {
  const usage = { cpu: 0, io: 0 };
  let own = '/';
  for (const line of (await text(join(proc, String(pid), 'cgroup'))).split('\n')) {
    // `hierarchy:controllers:path`, without controllers for v2 (cgroups(7)).
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    // The process may be in the root of a hierarchy that nobody uses.
    if (path.length > own.length) own = path;
    for (const directory of directoriesOf(controllers, mount)) {
      usage.cpu = Math.max(usage.cpu, await cpuOf(join(directory, path)));
      usage.io = Math.max(usage.io, await ioOf(join(directory, path)));
    }
  }
  // Newer kernels count block devices with cgroup v1 only where they are limited: the processes know it too.
  if (own !== '/') usage.io += await ioOfProcesses(await cgroupProcesses(own, mount), proc);
  return usage;
}

/** What processes have transferred, with their children that have ended (proc(5), `/proc/PID/io`). */
async function ioOfProcesses(pids: readonly number[], proc: string): Promise<number> {
  const texts = await Promise.all(pids.map((pid) => text(join(proc, String(pid), 'io'))));
  const bytes = texts.flatMap((one) => [...one.matchAll(/^(?:read|write)_bytes: (\d+)$/gm)].map(([, sum]) => sum));
  return bytes.reduce((sum, one) => sum + Number(one), 0);
}

/** Where a hierarchy is mounted: v2 at the top, or beside v1's; v1 under its controllers' names, alone or joined. */
function directoriesOf(controllers: string, mount: string): string[] {
  if (controllers === '') return [mount, join(mount, 'unified')];
  return [...new Set([controllers, ...controllers.split(',')])].map((name) => join(mount, name));
}

async function cpuOf(cgroup: string): Promise<number> {
  const microseconds = /^usage_usec (\d+)$/m.exec(await text(join(cgroup, 'cpu.stat')))?.[1];
  if (microseconds !== undefined) return Number(microseconds) / 1_000;
  return Number(await text(join(cgroup, 'cpuacct.usage'))) / 1_000_000;
}

async function ioOf(cgroup: string): Promise<number> {
  const v2 = [...(await text(join(cgroup, 'io.stat'))).matchAll(/\b[rw]bytes=(\d+)/g)];
  const v1 = [...(await text(join(cgroup, 'blkio.throttle.io_service_bytes'))).matchAll(/ (?:Read|Write) (\d+)$/gm)];
  return [...v2, ...v1].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}

function text(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
