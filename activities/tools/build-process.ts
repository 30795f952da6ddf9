/**
 * The end of a `podman build` and of everything it started. It outlives the signal that ends podman, and the worker: its RUN steps
 * go on in their cgroup, and working containers without a label stay in the storage.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { buildCgroup, killCgroup, removeCgroup } from './cgroup.ts';
import { cgroupArgument } from './podman-build.ts';
import { parseOutput, podman, podmanInfo, type PodmanInfo } from './podman.ts';

/** Milliseconds that podman gets to put its storage in order before SIGKILL, and in which all must be gone. */
const TERM = 3_000;
const GONE = 15_000;
const PAUSE = 100;

/**
 * Ends the release's build on this host, if one runs or ran: podman itself, its RUN steps, and its working containers. Returns
 * what it removed, in words.
 */
export async function endBuild(installation: string, release: string): Promise<string[]> {
  const info = await podmanInfo({ cleanUp: true });
  const cgroup = buildCgroup(info.cgroupManager, installation, release);
  const ended = await endProcesses(cgroup);
  const containers = await removeWorkingContainers(cgroup, info);
  await removeCgroup(cgroup);
  return [...(ended ? ['running build'] : []), ...containers.map((name) => `working container ${name}`)];
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

/** The processes that have exactly this among their arguments. */
export async function processesWithArgument(argument: string): Promise<number[]> {
  return (await commandLines()).filter(({ words }) => words.includes(argument)).map(({ pid }) => pid);
}

/** The arguments of all processes that begin so. */
export async function argumentsWith(prefix: string): Promise<string[]> {
  return (await commandLines()).flatMap(({ words }) => words.filter((word) => word.startsWith(prefix)));
}

/** Every process but this one. */
async function commandLines(): Promise<{ pid: number; words: string[] }[]> {
  const found: { pid: number; words: string[] }[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const text = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    found.push({ pid: Number(name), words: text.split('\0') });
  }
  return found;
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself.
  }
}

const Listed = z
  .array(z.object({ Id: z.string(), Names: z.array(z.string()).nullish(), State: z.string() }))
  .nullable();
/** The part of buildah's own note about a working container (`buildah.json`, buildah 1.39) that says whose it is. */
const WorkingContainer = z.object({ CommonBuildOpts: z.object({ CgroupParent: z.string() }) });

/** Working containers have no labels; buildah's note in the storage names the cgroup that the build was given. */
async function removeWorkingContainers(cgroup: string, info: PodmanInfo): Promise<string[]> {
  const { stdout } = await podman('podman ps', ['ps', '--all', '--external', '--format', 'json'], { cleanUp: true });
  const removed: string[] = [];
  for (const container of parseOutput('podman ps', Listed, stdout) ?? []) {
    if (container.State !== 'storage') continue;
    const directory = join(info.graphRoot, `${info.graphDriver}-containers`, container.Id, 'userdata');
    const text = await readFile(join(directory, 'buildah.json'), 'utf8').catch(() => undefined);
    if (text === undefined || cgroupOf(text) !== cgroup) continue;
    // Somebody else may remove it at the same time; what is left is found the next time.
    await podman('removing a working container', ['rm', '--force', container.Id], {
      okExitCodes: [0, 1, 2, 125],
      cleanUp: true,
    });
    removed.push(container.Names?.[0] ?? container.Id.slice(0, 12));
  }
  return removed;
}

function cgroupOf(text: string): string | undefined {
  try {
    return WorkingContainer.safeParse(JSON.parse(text)).data?.CommonBuildOpts.CgroupParent;
  } catch {
    return undefined;
  }
}
