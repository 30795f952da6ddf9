/** Containers on this host: what became of one, and its end. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { FlightlineError } from '../../../../model/failure/failure.ts';
import type { CommandResult } from '../../process/command.ts';
import { parseOutput, podman } from '../podman.ts';
import { containerState, type ContainerState } from './container-state.ts';

const Listed = z.array(z.object({ Names: z.array(z.string()) })).nullable();

/** The container with a name; null when it does not exist. */
export async function inspectContainer(name: string): Promise<ContainerState | null> {
  const { stdout, stderr, exitCode } = await podman(`looking for container ${name}`, ['container', 'inspect', name], {
    okExitCodes: [0, 125],
    cleanUp: true,
  });
  if (exitCode !== 0) {
    // Its words spare a question; other words are no answer.
    if (/^Error: no such container /m.test(stderr) || !(await containerExists(name))) return null;
    throw new FlightlineError('unexpected', `podman container inspect ${name} failed`);
  }
  return containerState(stdout);
}

/** The names of all containers, running or not, that have every one of these labels. */
export async function containersWithLabels(labels: Record<string, string>): Promise<string[]> {
  const filters = Object.entries(labels).flatMap(([name, value]) => ['--filter', `label=${name}=${value}`]);
  const { stdout } = await podman('podman ps', ['ps', '--all', ...filters, '--format', 'json'], { cleanUp: true });
  return (parseOutput('podman ps', Listed, stdout) ?? []).flatMap((container) => container.Names.slice(0, 1));
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
  // The pid may be another process's by now: conmon has the container's id among its arguments.
  const argv = await readProc(container.conmonPid, 'cmdline');
  return argv.split('\0').includes(container.id);
}

/** `true` while the container's own first process lives. */
export async function hasInit(container: Pick<ContainerState, 'id' | 'pid'>): Promise<boolean> {
  if (container.pid <= 0) return false;
  return (await readProc(container.pid, 'cgroup')).includes(container.id);
}

async function readProc(pid: number, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}

/** Milliseconds in which a killed process is gone, and in which podman notices. */
const SETTLE = 3_000;

/**
 * Ends and removes a container with its anonymous volumes, in whatever state it is. `grace` (ms) is the time between
 * SIGTERM and SIGKILL; 0 kills at once. `false` when there was none.
 */
export async function removeContainer(name: string, grace = 0): Promise<boolean> {
  const container = await inspectContainer(name);
  if (!container) return false;
  if (await hasConmon(container)) {
    if (grace > 0) await tolerant(['stop', '--time', String(Math.ceil(grace / 1_000)), name]);
  } else {
    await killInit(container);
  }
  // With its conmon dead the first removal fails, and the second succeeds (toolchain notes).
  for (let attempt = 1; attempt <= 3; attempt++) {
    const { exitCode } = await tolerant(['rm', '--force', '--time', '0', '--volumes', name]);
    if (exitCode === 0 || !(await containerExists(name))) return true;
  }
  throw new FlightlineError('host-setup', `the container ${name} cannot be removed`, {
    remedy: `remove it by hand (podman rm --force ${name})`,
  });
}

/** SIGKILL to the first process of a container's own process namespace ends all of them. */
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

async function tolerant(args: readonly string[]): Promise<CommandResult> {
  return podman(`podman ${args[0]}`, args, { okExitCodes: [0, 1, 2, 125, 126, 127], cleanUp: true });
}
