import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cgroupUsage } from '../../../../../activities/tools/process/usage.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'flightline-usage-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function usageOf(files: Record<string, string>) {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  return cgroupUsage(7, { proc: join(root, 'proc'), mount: join(root, 'cgroup') });
}

describe('what a cgroup has used', () => {
  it('is read from cgroup v2', async () => {
    const usage = await usageOf({
      'proc/7/cgroup': '0::/a/container\n',
      'cgroup/a/container/cpu.stat': 'usage_usec 1500000\nuser_usec 1\n',
      'cgroup/a/container/io.stat': '8:0 rbytes=100 wbytes=20 rios=1 wios=1\n8:16 rbytes=3 wbytes=0\n',
    });
    expect(usage).toEqual({ cpu: 1500, io: 123 });
  });

  it('is read from cgroup v1', async () => {
    const usage = await usageOf({
      'proc/7/cgroup': '4:cpu,cpuacct:/a\n3:blkio:/a\n1:name=systemd:/other\n',
      'cgroup/cpuacct/a/cpuacct.usage': '2500000000\n',
      'cgroup/blkio/a/blkio.throttle.io_service_bytes': '8:0 Read 100\n8:0 Write 23\n8:0 Total 123\nTotal 123\n',
    });
    expect(usage).toEqual({ cpu: 2500, io: 123 });
  });

  it('counts what its processes have transferred where the cgroup does not', async () => {
    const usage = await usageOf({
      'proc/7/cgroup': '4:cpu,cpuacct:/a\n3:blkio:/a\n',
      'proc/7/io': 'rchar: 9\nwchar: 9\nread_bytes: 100\nwrite_bytes: 20\ncancelled_write_bytes: 5\n',
      'proc/8/io': 'read_bytes: 3\nwrite_bytes: 0\n',
      'cgroup/cpuacct/a/cpuacct.usage': '0\n',
      'cgroup/cpuacct/a/cgroup.procs': '7\n',
      'cgroup/cpuacct/a/below/cgroup.procs': '8\n',
      'cgroup/blkio/a/cgroup.procs': '7\n',
      'cgroup/blkio/a/blkio.throttle.io_service_bytes': 'Total 0\n',
    });
    expect(usage).toEqual({ cpu: 0, io: 123 });
  });

  it('is nothing where there is no such process', async () => {
    expect(await usageOf({})).toEqual({ cpu: 0, io: 0 });
  });

  it('grows for a process that works', async () => {
    const before = await cgroupUsage(process.pid);
    for (const end = Date.now() + 200; Date.now() < end;);
    expect((await cgroupUsage(process.pid)).cpu).toBeGreaterThan(before.cpu);
  });
});
