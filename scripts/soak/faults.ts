/** Faults that a soak causes, each a real one. */
import { mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { z } from 'zod';
import type { BuildHost } from '../../test/support/second-host.ts';
import type { Chance } from './random.ts';
import { WORK_SIZE, type Site } from './site.ts';

/** Causes a fault and undoes it. Returns its name, or `undefined` when there was nothing to break. */
export type Fault = (site: Site, chance: Chance) => Promise<string | undefined>;

/** How long a process is stopped (ms). */
const PAUSE = [1_500, 20_000] as const;

const Inspected = z.array(z.object({ State: z.object({ Pid: z.number(), ConmonPid: z.number() }) })).min(1);

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** A process that the stack keeps: it starts a worker again by itself. */
function stackProcess(site: Site, name: string): number | undefined {
  return site.stack.children().find((child) => child.name === name)?.pid;
}

function endOf(role: 'control' | 'sign', how: 'SIGKILL' | 'SIGTERM'): Fault {
  return async (site) => {
    const pid = stackProcess(site, role);
    return pid !== undefined && signal(pid, how) ? `${how} of the ${role} worker` : undefined;
  };
}

function stillnessOf(child: 'control' | 'sign' | 'registry'): Fault {
  return async (site, chance) => {
    const pid = stackProcess(site, child);
    if (pid === undefined || !signal(pid, 'SIGSTOP')) return undefined;
    await pause(chance.between(...PAUSE));
    signal(pid, 'SIGCONT');
    return child === 'registry' ? 'registry stopped and continued' : `SIGSTOP, SIGCONT of the ${child} worker`;
  };
}

/** The registry answers slowly, piece by piece. */
const slowRegistry: Fault = async (site, chance) => {
  for (const until = Date.now() + chance.between(...PAUSE); Date.now() < until; await pause(150)) {
    const pid = stackProcess(site, 'registry');
    if (pid === undefined || !signal(pid, 'SIGSTOP')) return undefined;
    await pause(350);
    signal(pid, 'SIGCONT');
  }
  return 'slow registry';
};

function someHost(site: Site, chance: Chance): BuildHost {
  return chance.pick(site.hosts.map((host) => [1, host]));
}

function endOfHost(how: 'SIGKILL' | 'SIGTERM'): Fault {
  return async (site, chance) => {
    const host = someHost(site, chance);
    await host.stop(how);
    await host.start();
    return `${how} of a build worker`;
  };
}

const frozenHost: Fault = async (site, chance) => {
  const thaw = await someHost(site, chance).freeze();
  await pause(chance.between(...PAUSE));
  thaw();
  return 'SIGSTOP, SIGCONT of a build host';
};

const lostHost: Fault = async (site, chance) => {
  const host = someHost(site, chance);
  await host.lose();
  await pause(chance.between(...PAUSE));
  await host.start();
  return 'power cut of a build host';
};

function endInContainer(which: 'Pid' | 'ConmonPid', name: string): Fault {
  return async (site, chance) => {
    const host = someHost(site, chance);
    const [running] = (await host.containers()).filter(({ state }) => state === 'running');
    if (!running) return undefined;
    const told = await host.podman(['container', 'inspect', running.id]).catch(() => '[]');
    const parsed = Inspected.safeParse(JSON.parse(told));
    const pid = parsed.data?.[0]?.State[which] ?? 0;
    return pid > 0 && signal(pid, 'SIGKILL') ? name : undefined;
  };
}

/**
 * Its stack starts a server again, and gives up when it dies three times within minutes: it is left alone for so long
 * (ms).
 */
const SERVER_REST = 90_000;
const lastKilled = new Map<string, number>();

function endOfServer(child: 'temporal' | 'registry', title: string): Fault {
  return async (site) => {
    const pid = stackProcess(site, child);
    if (pid === undefined || Date.now() - (lastKilled.get(child) ?? 0) < SERVER_REST || !signal(pid, 'SIGKILL')) {
      return undefined;
    }
    lastKilled.set(child, Date.now());
    return `SIGKILL of the ${title}`;
  };
}

const fullDisk: Fault = async (site, chance) => {
  const host = someHost(site, chance);
  await host.resize('work');
  await pause(chance.between(...PAUSE));
  await host.resize('work', WORK_SIZE);
  return 'file system of a build host full for a while';
};

const FAULTS: readonly (readonly [weight: number, fault: Fault])[] = [
  [2, endOf('control', 'SIGKILL')],
  [1, endOf('control', 'SIGTERM')],
  [1, stillnessOf('control')],
  [2, endOf('sign', 'SIGKILL')],
  [1, endOf('sign', 'SIGTERM')],
  [1, stillnessOf('sign')],
  [4, endOfHost('SIGKILL')],
  [2, endOfHost('SIGTERM')],
  [3, frozenHost],
  [1, lostHost],
  [2, fullDisk],
  [2, endOfServer('temporal', 'Temporal server')],
  [1, endOfServer('registry', 'registry')],
  [3, stillnessOf('registry')],
  [3, slowRegistry],
  [3, endInContainer('ConmonPid', "SIGKILL of a builder's conmon")],
  [1, endInContainer('Pid', 'SIGKILL of a builder')],
];

/**
 * Collects the registry's garbage, including manifests without a tag. Then restarts the registry, which remembers the
 * blobs that it had.
 */
export async function collectGarbage(site: Site): Promise<void> {
  await pause(Math.max(0, (lastKilled.get('registry') ?? 0) + SERVER_REST - Date.now()));
  lastKilled.set('registry', Date.now());
  // distribution 2.8 gives up at a repository that never had a tag, as a cancelled release leaves one.
  for (const entry of await readdir(site.stack.paths.registry, { recursive: true })) {
    if (basename(entry) !== '_layers') continue;
    await mkdir(join(site.stack.paths.registry, dirname(entry), '_manifests/tags'), { recursive: true });
  }
  await execa('docker-registry', ['garbage-collect', '--delete-untagged', site.stack.paths.registryConfiguration]);
  const pid = stackProcess(site, 'registry');
  if (pid !== undefined) signal(pid, 'SIGKILL');
}

/**
 * Causes one fault after the other until the signal, each after a pause of some seconds. Tells each once it is over.
 */
export async function injectFaults(
  site: Site,
  chance: Chance,
  stop: AbortSignal,
  told: (name: string) => void,
): Promise<void> {
  while (!stop.aborted) {
    await pause(chance.between(2_000, 9_000), undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) return;
    const name = await chance.pick(FAULTS)(site, chance);
    if (name !== undefined) told(name);
  }
}
