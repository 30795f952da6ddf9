/**
 * What the processes of a cgroup have used so far: whether a program that prints nothing works or sleeps. cgroup v2, v1
 * and both at once.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Sums since the cgroup was made; what cannot be read counts as 0. */
interface CgroupUsage {
  /** Processor time in milliseconds. */
  cpu: number;
  /** Bytes read from and written to block devices. */
  io: number;
}

/** The usage of the cgroup that a process lives in, with those below it. */
export async function cgroupUsage(
  pid: number,
  { proc, mount }: { proc: string; mount: string } = { proc: '/proc', mount: '/sys/fs/cgroup' },
): Promise<CgroupUsage> {
  const usage = { cpu: 0, io: 0 };
  for (const line of (await text(join(proc, String(pid), 'cgroup'))).split('\n')) {
    // `hierarchy:controllers:path`, without controllers for v2 (cgroups(7)).
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    for (const directory of directoriesOf(controllers, mount)) {
      usage.cpu = Math.max(usage.cpu, await cpuOf(join(directory, path)));
      usage.io = Math.max(usage.io, await ioOf(join(directory, path)));
    }
  }
  return usage;
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
