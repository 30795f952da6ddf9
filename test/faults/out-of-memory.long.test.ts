/** A step whose process the kernel kills for lack of memory failed for the host's sake, whatever its exit status. */
import { existsSync } from 'node:fs';
import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildCgroup } from '../../activities/tools/process/cgroup.ts';
import { openComparison, type PodmanComparison } from '../support/podman-comparison.ts';

/** Of cgroup v1, where a limit can be set for a cgroup that is still to be used. */
const MEMORY = '/sys/fs/cgroup/memory';
const LIMIT = 40_000_000;

let podman: PodmanComparison;
beforeAll(async () => {
  podman = await openComparison();
});
afterAll(async () => {
  await podman?.close();
});

it.runIf(existsSync(MEMORY))('a later RUN of which a process was ended goes to another host', async () => {
  const eat = "bash -c 'x=a; while true; do x=$x$x; done'";
  const directory = await podman.project(`FROM @BASE@\nRUN true\nRUN ${eat}; exit 3\n`);
  try {
    const input = await podman.prepare(directory);
    const cgroup = join(MEMORY, buildCgroup('cgroupfs', podman.host.work.installation, input.release));
    await mkdir(cgroup, { recursive: true });
    await writeFile(join(cgroup, 'memory.limit_in_bytes'), String(LIMIT));
    const failure = await podman.release(input).catch((error: unknown) => error);
    expect(failure).toMatchObject({ type: 'out-of-memory' });
    expect((failure as Error).message).toContain('while running runtime: exit status 3');
    await rmdir(cgroup).catch(() => undefined);
  } finally {
    await rm(dirname(directory), { recursive: true });
  }
});
