/**
 * Ends a `podman build` and everything that it started. After podman or the worker has ended, RUN steps go on in their
 * cgroup, and working containers without a label stay in the storage.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Architecture } from '../../../model/base/host.ts';
import { buildCgroup, killCgroup, removeCgroup } from '../process/cgroup.ts';
import { cgroupArgument } from './build.ts';
import { parseOutput, podman, podmanInfo, type PodmanInfo } from './podman.ts';
import { unmountBelow } from '../mounts.ts';
import { readNote } from '../note.ts';
import { processesWithArgument, signal } from '../process/processes.ts';

/** Milliseconds for podman to tidy its storage before SIGKILL, and for all processes to be gone. */
const TERM = 3_000;
const GONE = 15_000;
const PAUSE = 100;

/** A build of a release on this host. */
export interface BuildPlace {
  installation: string;
  release: string;
  /** Of a release with several. */
  platform?: Architecture | undefined;
  /** The release's own directory; of one of several platforms, its own. */
  directory: string;
}

/**
 * Ends the release's build on this host, if there is one: podman itself, its RUN steps, and its working containers.
 * Returns what it removed, in words.
 *
 * @throws Error when a working container stays, as while the storage is full
 */
export async function endBuild({ installation, release, platform, directory }: BuildPlace): Promise<string[]> {
  const info = await podmanInfo();
  const cgroup = buildCgroup(info.cgroupManager, installation, release, platform);
  const ended = await endProcesses(cgroup);
  await unmountBelow(directory);
  const before = await readBefore(directory);
  const containers = before === 'no build' ? [] : await removeWorkingContainers(cgroup, info, before);
  await removeCgroup(cgroup);
  return [...(ended ? ['running build'] : []), ...containers.map((name) => `working container ${name}`)];
}

/**
 * Notes which working containers exist before a build begins. A later one that loses its own note may be the build's.
 */
export async function noteWorkingContainers(directory: string): Promise<void> {
  const ids = (await listWorkingContainers()).map(({ id }) => id);
  await writeFile(join(directory, BEFORE), JSON.stringify(ids), { mode: 0o600 });
}

/** Notes that podman has removed its working containers, so that nobody looks for them. */
export async function forgetWorkingContainers(directory: string): Promise<void> {
  await rm(join(directory, BEFORE), { force: true });
}

/** Ends podman and the RUN steps of a build. `true` when there was a process. */
export async function endProcesses(cgroup: string): Promise<boolean> {
  let seen = false;
  for (let waited = 0; waited < GONE; waited += PAUSE) {
    const builders = await processesWithArgument(cgroupArgument(cgroup));
    for (const pid of builders) signal(pid, waited < TERM ? 'SIGTERM' : 'SIGKILL');
    const steps = await killCgroup(cgroup);
    if (builders.length + steps === 0) return seen;
    seen = true;
    await sleep(PAUSE);
  }
  return seen;
}

const Listed = z
  .array(z.object({ Id: z.string(), Names: z.array(z.string()).nullish(), State: z.string() }))
  .nullable();
/** The part of buildah's note about a working container (`buildah.json`, buildah 1.39) that tells whose it is. */
const WorkingContainer = z.object({ CommonBuildOpts: z.object({ CgroupParent: z.string() }) });
/** The names of buildah's containers, since other programs have containers in the same storage. */
const WORKING_NAME = /-working-container(?:-\d+)?$/;
/** File of {@link noteWorkingContainers}. */
const BEFORE = 'working-containers-before.json';
/** A new container gets its note within milliseconds. One without a note for this long is half removed. */
const HALF_REMOVED = 1_000;

interface Working {
  id: string;
  name: string;
}

async function listWorkingContainers(): Promise<Working[]> {
  const { stdout } = await podman('podman ps', ['ps', '--all', '--external', '--format', 'json'], { cleanUp: true });
  return (parseOutput('podman ps', Listed, stdout) ?? [])
    .filter(({ State }) => State === 'storage')
    .map(({ Id, Names }) => ({ id: Id, name: Names?.[0] ?? Id.slice(0, 12) }));
}

/**
 * Finds a build's working containers. They have no labels, but buildah's note in the storage names the build's cgroup.
 * A removal that a full storage stops has deleted that note already; such a container is known by not having existed
 * before the build.
 */
async function removeWorkingContainers(
  cgroup: string,
  info: PodmanInfo,
  before: readonly string[] | 'unknown',
): Promise<string[]> {
  const listed = await listWorkingContainers();
  const cgroups = new Map<string, string | null>();
  for (const { id } of listed) cgroups.set(id, await cgroupOf(info, id));
  const own = listed.filter(({ id }) => cgroups.get(id) === cgroup);
  const suspects = listed.filter(
    ({ id, name }) =>
      cgroups.get(id) === null && WORKING_NAME.test(name) && before !== 'unknown' && !before.includes(id),
  );
  if (suspects.length > 0) {
    await sleep(HALF_REMOVED);
    for (const one of suspects) if ((await cgroupOf(info, one.id)) === null) own.push(one);
  }
  for (const { id } of own) {
    // Somebody else may remove it at the same time.
    await podman('removing a working container', ['rm', '--force', id], { okExitCodes: [0, 1, 2, 125], cleanUp: true });
  }
  if (own.length > 0) {
    const left = new Set((await listWorkingContainers()).map(({ id }) => id));
    const stays = own.filter(({ id }) => left.has(id)).map(({ name }) => name);
    if (stays.length > 0) throw new Error(`podman could not remove ${stays.join(', ')}`);
  }
  return own.map(({ name }) => name);
}

/** The working containers before the last build; `unknown` when its note is damaged. */
async function readBefore(directory: string): Promise<string[] | 'no build' | 'unknown'> {
  return (await readNote(join(directory, BEFORE), z.array(z.string()), 'unknown')) ?? 'no build';
}

/** The cgroup in a working container's note; null without a note, `''` when we may not read it. */
async function cgroupOf(info: PodmanInfo, id: string): Promise<string | null> {
  const file = join(info.graphRoot, `${info.graphDriver}-containers`, id, 'userdata', 'buildah.json');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? null : '',
  );
  if (text === null) return null;
  try {
    return WorkingContainer.safeParse(JSON.parse(text)).data?.CommonBuildOpts.CgroupParent ?? '';
  } catch {
    return '';
  }
}
