/** A step whose process the kernel kills for lack of memory failed for the host's sake, whatever its exit status. */
import { existsSync } from 'node:fs';
import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildCgroup } from '../../activities/tools/process/cgroup.ts';
import { openComparison, type PodmanComparison } from '../support/podman-comparison.ts';

/** Of cgroup v1, where a cgroup has limits as soon as it is made. */
const MEMORY = '/sys/fs/cgroup/memory';
/** Bytes; the step takes six times as many. */
const LIMIT = 40_000_000;

let podman: PodmanComparison;
beforeAll(async () => {
  podman = await openComparison();
});
afterAll(async () => {
  await podman?.close();
});

it.runIf(existsSync(MEMORY))('a later RUN of which a process was ended goes to another host', async () => {
  const eat = "bash -c 'x=a; for i in {1..28}; do x=$x$x; done'";
  const directory = await podman.project(`FROM @BASE@\nRUN true\nRUN ${eat}; exit 3\n`);
  // The build's own cgroup is made by the build; one beside it keeps the one above both.
  const above = dirname(join(MEMORY, buildCgroup('cgroupfs', podman.host.work.installation, 'any')));
  await mkdir(join(above, 'beside'), { recursive: true });
  try {
    await writeFile(join(above, 'memory.limit_in_bytes'), String(LIMIT));
    const failure = await podman.release(await podman.prepare(directory)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ type: 'out-of-memory' });
    expect((failure as Error).message).toContain('while running runtime: exit status 3');
  } finally {
    for (const cgroup of [join(above, 'beside'), above]) await rmdir(cgroup);
    await rm(dirname(directory), { recursive: true });
  }
});
