/** A step that lacks memory or space on its host failed for the host's sake, whatever its exit status and its words. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildCgroup } from '../../activities/tools/process/cgroup.ts';
import { openComparison, type PodmanComparison } from '../support/podman-comparison.ts';

/** Of cgroup v1, where a cgroup has limits as soon as it is made. */
const MEMORY = '/sys/fs/cgroup/memory';
/** Bytes; the step takes six times as many. */
const LIMIT = 40_000_000;

const temporary = process.env.TMPDIR;
let mount: string;
let mounted = false;
let podman: PodmanComparison;
beforeAll(async () => {
  mount = await mkdtemp(join(tmpdir(), 'flightline-small-storage-'));
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=250M,mode=0700', 'flightline-test', mount]);
  mounted = true;
  // Everything lies there, podman's storage among it.
  process.env.TMPDIR = mount;
  podman = await openComparison();
});
afterAll(async () => {
  await podman?.close();
  if (temporary === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = temporary;
  if (mounted) await execa('umount', [mount]);
  await rm(mount, { recursive: true, force: true });
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

it.each([
  ['says so', 'cat /dev/zero > /full'],
  ['says nothing', 'cat /dev/zero > /full 2> /dev/null'],
])(
  'a third RUN that fills the storage and %s goes to another host; a step after it is its author’s',
  async (_, fill) => {
    const directory = await podman.project(`FROM @BASE@\nRUN touch /one\nRUN touch /two\nRUN ${fill}; exit 3\n`);
    const later = await podman.project(
      `FROM @BASE@\nRUN ${fill}; rm /full\nRUN echo no space left on device; exit 3\n`,
    );
    const failureOf = async (project: string) =>
      podman.release(await podman.prepare(project)).catch((error: unknown) => error);
    try {
      const failure = await failureOf(directory);
      expect(failure).toMatchObject({ type: 'disk-full' });
      expect((failure as Error).message).toContain('while running runtime: exit status 3');
      expect(await failureOf(later)).toMatchObject({ type: 'containerfile', nonRetryable: true });
    } finally {
      for (const project of [directory, later]) await rm(dirname(project), { recursive: true });
    }
  },
);
