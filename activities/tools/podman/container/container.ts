/** Inspects and ends containers on this host. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { FlightlineError } from '../../../../model/failure/failure.ts';
import { runCommand, type CommandResult } from '../../process/command.ts';
import { parseOutput, podman } from '../podman.ts';
import { containerState, type ContainerState } from './container-state.ts';

const Listed = z
  .array(
    z.object({
      Id: z.string(),
      Names: z.array(z.string()),
      ImageID: z.string(),
      Command: z.array(z.string()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    }),
  )
  .nullable();

/** The container with a name; null when it does not exist. */
export async function inspectContainer(name: string): Promise<ContainerState | null> {
  const { stdout, stderr, exitCode } = await podman(`looking for container ${name}`, ['container', 'inspect', name], {
    okExitCodes: [0, 125],
    cleanUp: true,
  });
  if (exitCode !== 0) {
    // This text is an answer, and saves another command. Other texts are errors.
    if (/^Error: no such container /m.test(stderr) || !(await containerExists(name))) return null;
    throw new FlightlineError('unexpected', `podman container inspect ${name} failed`);
  }
  return containerState(stdout);
}

/** The names of all containers, running or not, that have every one of these labels. */
export async function containersWithLabels(labels: Record<string, string>): Promise<string[]> {
  const filters = Object.entries(labels).flatMap(([name, value]) => ['--filter', `label=${name}=${value}`]);
  return (await listContainers(filters)).flatMap(({ names }) => names.slice(0, 1));
}

/** All containers, running or not, that `podman ps` lists with these arguments. */
export async function listContainers(filters: readonly string[] = []): Promise<ListedContainer[]> {
  const args = ['ps', '--all', '--no-trunc', ...filters, '--format', 'json'];
  const { stdout } = await podman('podman ps', args, { cleanUp: true });
  return (parseOutput('podman ps', Listed, stdout) ?? []).map((container) => ({
    id: container.Id,
    names: container.Names,
    image: container.ImageID,
    command: container.Command ?? [],
    labels: container.Labels ?? {},
  }));
}

/** A container in a list. */
export interface ListedContainer {
  id: string;
  names: readonly string[];
  /** Id of its image. */
  image: string;
  /** Arguments of its entry point. */
  command: readonly string[];
  labels: Readonly<Record<string, string>>;
}

async function containerExists(name: string): Promise<boolean> {
  const { exitCode } = await podman(`looking for container ${name}`, ['container', 'exists', name], {
    okExitCodes: [0, 1],
    cleanUp: true,
  });
  return exitCode === 0;
}

/** `true` while conmon watches the container. Without conmon nothing records its exit code. */
export async function hasConmon(container: Pick<ContainerState, 'id' | 'conmonPid'>): Promise<boolean> {
  if (container.conmonPid <= 0) return false;
  // The pid may belong to another process now. conmon has the container's id among its arguments.
  const argv = await readProc(container.conmonPid, 'cmdline');
  return argv.split('\0').includes(container.id);
}

/** `true` while the container's first process is alive. */
export async function hasInit(container: Pick<ContainerState, 'id' | 'pid'>): Promise<boolean> {
  if (container.pid <= 0) return false;
  return (await readProc(container.pid, 'cgroup')).includes(container.id);
}

async function readProc(pid: number, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}

/** Milliseconds for a removal among no processes. */
const APART = 60_000;
/** Milliseconds until a killed process is gone, and until podman notices. */
const SETTLE = 3_000;

/**
 * Ends and removes a container in any state, with its anonymous volumes. `grace` (ms) is the time between SIGTERM and
 * SIGKILL; 0 kills at once. `false` when there was none.
 */
export async function removeContainer(name: string, grace = 0): Promise<boolean> {
  const container = await inspectContainer(name);
  if (!container) return false;
  const watched = await hasConmon(container);
  if (watched) {
    if (grace > 0) await tolerant(['stop', '--time', String(Math.ceil(grace / 1_000)), name]);
  } else {
    await killInit(container);
  }
  // When its conmon is dead, the first removal fails and the second succeeds.
  const removal = ['rm', '--force', '--time', '0', '--volumes', name];
  for (let attempt = 1; attempt <= 3; attempt++) {
    const isLost = attempt === 1 ? !watched && isSaidToRun(container) : await isLostNow(name);
    if ((await (isLost ? apart(removal) : tolerant(removal))).exitCode === 0) return true;
    if (!(await containerExists(name))) return true;
  }
  throw new FlightlineError('host-setup', `the container ${name} cannot be removed`, {
    remedy: `remove it by hand (podman rm --force ${name})`,
  });
}

/** SIGKILL to the first process of a container's process namespace ends all of them. */
async function killInit(container: ContainerState): Promise<void> {
  for (let waited = 0; waited < SETTLE && (await hasInit(container)); waited += 100) {
    try {
      process.kill(container.pid, 'SIGKILL');
    } catch {
      return;
    }
    await sleep(100);
  }
}

async function isLostNow(name: string): Promise<boolean> {
  const container = await inspectContainer(name);
  return container !== null && isSaidToRun(container) && !(await hasConmon(container));
}

function isSaidToRun({ status }: ContainerState): boolean {
  return ['running', 'paused', 'stopping'].includes(status);
}

/**
 * Runs podman where no process of this machine is seen. Of a container whose processes are gone podman still has the
 * pid, which may be anybody's by now, or was of another process namespace: it would wait for that process to end.
 */
async function apart(args: readonly string[]): Promise<Pick<CommandResult, 'exitCode'>> {
  const command = ['--pid', '--fork', '--kill-child', '--mount-proc', 'podman', ...args];
  // Where unshare does not work, the next attempt is made without it.
  return runCommand('unshare', command, { timeout: APART, cleanUp: true }).catch(() => ({ exitCode: 1 }));
}

async function tolerant(args: readonly string[]): Promise<CommandResult> {
  return podman(`podman ${args[0]}`, args, { okExitCodes: [0, 1, 2, 125, 126, 127], cleanUp: true });
}
