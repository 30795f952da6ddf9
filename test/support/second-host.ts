/**
 * Build hosts beside the stack's own workers: on one machine a second host is a worker in a mount namespace of its own,
 * with private directories where podman keeps its state.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { releaseKey } from '../../model/release/inputs.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { workerConfigurationText } from '../../workers/stack/files.ts';
import { hasReadyEvent } from '../../workers/telemetry/log.ts';
import type { Stack } from '../../workers/stack/stack.ts';
import { COMMAND } from './flightline.ts';
import { builderContainers, leftOvers, podman, type HostContainer, type HostFiles } from './host-state.ts';
import { eventually } from './wait.ts';

/** What podman keeps outside of its configuration; /dev/shm holds the locks that all podmans of a machine share. */
const STORAGE = '/var/lib/containers';
const PODMAN_STATE = [STORAGE, '/run/libpod', '/run/containers'];

/** How often to fill a file system that is being written to, before giving up. */
const FULL_TRIES = 20;

export interface BuildHostOptions {
  name: string;
  /** The host has podman's state for itself; else it uses the machine's, as the stack's own build worker does. */
  private?: boolean;
  limits?: Partial<WorkerConfiguration['limits']>;
  /** Default is the machine's own. */
  architectures?: WorkerConfiguration['architectures'];
  /** Directories that are empty as the host sees them: what lies there is on another machine. */
  hide?: readonly string[];
  /** Puts the work directory on a file system of its own, of so many bytes. Needs `private`. */
  workSize?: number;
  /** Puts podman's storage (its graph root) on a file system of its own, of so many bytes. Needs `private`. */
  storageSize?: number;
}

/** A build host: its files, which outlive its worker, and a worker that comes and goes. */
export interface BuildHost extends HostFiles {
  name: string;
  /** The worker's log. */
  log: string;
  /** The worker's process; throws when none runs. */
  pid(): number;
  /** Starts the worker and waits until it polls. */
  start(): Promise<void>;
  /** Ends the worker by a signal, and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Runs podman as this host's worker does. */
  podman(args: readonly string[]): Promise<string>;
  /** The containers of this host's installation, running or not. */
  containers(): Promise<HostContainer[]>;
  /** What a finished release must not leave here. */
  leftOvers(): Promise<string[]>;
  /** Names of the logs of disk builds that a release (workflow id) ran here. */
  diskBuildLogs(release: string): Promise<string[]>;
  /** Kills the worker, what it started, and its containers with their conmons, as a power cut does. */
  lose(): Promise<void>;
  /**
   * As {@link BuildHost.lose}, and what a machine keeps in memory is gone as well: mounts, and podman's files below
   * /run. Starts the worker. Needs `private`.
   */
  reboot(): Promise<void>;
  /** Stops all of the host's processes where they are; returns what lets them go on. */
  freeze(): Promise<() => void>;
  /**
   * Makes the file system of `workSize` or `storageSize` as small as what is on it, and so full; or as large as this
   * (bytes).
   */
  resize(which: 'work' | 'storage', bytes?: number): Promise<void>;
  /** Ends everything, and removes its files. */
  end(): Promise<void>;
}

/** Makes a host and starts its worker. */
export async function startBuildHost(
  stack: Pick<Stack, 'directory' | 'environment' | 'configuration' | 'paths'>,
  options: BuildHostOptions,
): Promise<BuildHost> {
  const { name } = options;
  const directory = join(stack.directory, 'hosts', name);
  const work = join(directory, 'work');
  const file = join(directory, 'worker.yaml');
  const log = join(stack.paths.logs, `worker-${name}.log`);
  await mkdir(work, { recursive: true, mode: 0o700 });
  const configuration: WorkerConfiguration = {
    ...stack.configuration,
    host: name,
    directories: { work },
    ...(options.architectures && { architectures: options.architectures }),
    limits: { ...stack.configuration.limits, ...options.limits },
    keys: {},
  };
  await writeFile(file, workerConfigurationText(configuration), { mode: 0o600 });
  const apart = options.private === true || options.hide !== undefined;
  const space = apart ? await makeSpace(directory, work, { ...options, sharesPodman: !options.private }) : undefined;
  const enter = space ? ['nsenter', `--target=${space.pid}`, '--mount'] : [];
  const files: HostFiles = {
    environment: stack.environment,
    enter,
    work: options.workSize === undefined ? work : `/proc/${space!.pid}/root${work}`,
  };
  let worker: ChildProcess | undefined;
  const isUp = () => worker !== undefined && worker.exitCode === null && worker.signalCode === null;

  const host: BuildHost = {
    ...files,
    name,
    log,
    pid: () => {
      if (!isUp()) throw new Error(`${name} runs no worker`);
      return worker!.pid!;
    },
    start: async () => {
      if (isUp()) throw new Error(`${name} has a worker already`);
      const from = (await readFile(log, 'utf8').catch(() => '')).length;
      const output = openSync(log, 'a', 0o600);
      const [program, ...args] = [...enter, process.execPath, COMMAND, 'worker', '--role', 'build'];
      const child = spawn(program!, [...args, '--host-name', name, '--config', file], {
        cwd: '/',
        env: { ...process.env, ...stack.environment },
        stdio: ['ignore', output, output],
      });
      closeSync(output);
      worker = child;
      await eventually(`the worker of ${name} is ready`, async () => {
        if (!isUp()) throw new Error(`the worker of ${name} ended: see ${log}`);
        return hasReadyEvent((await readFile(log, 'utf8')).slice(from)) || undefined;
      });
    },
    stop: async (signal = 'SIGTERM') => {
      if (!isUp()) return;
      const ended = once(worker!, 'exit');
      worker!.kill(signal);
      await ended;
    },
    podman: (args) => podman(files, args),
    containers: () => builderContainers(files),
    leftOvers: () => leftOvers(files),
    diskBuildLogs: async (release) => {
      const logs = await readdir(join(files.work, 'logs', releaseKey(release))).catch(() => []);
      return logs.filter((one) => one.startsWith('disk-build-')).sort();
    },
    lose: async () => {
      const containers = await host.containers();
      const own = isUp() ? await familyOf(host.pid()) : [];
      const ended = isUp() ? once(worker!, 'exit') : undefined;
      for (const pid of [...own, ...(await processesOf(containers))]) signalTo(pid, 'SIGKILL');
      await ended;
    },
    reboot: async () => {
      if (!space || !options.private) throw new Error(`${name} shares what is in memory with this machine`);
      await host.lose();
      const inside = (...command: string[]) => execa(enter[0]!, [...enter.slice(1), ...command]);
      for (const mount of await mountsOf(files)) await inside('umount', '--lazy', mount.split(' ')[1]!);
      const memory = ['/dev/shm', ...PODMAN_STATE.filter((place) => place.startsWith('/run/'))];
      await inside('find', ...memory, '-mindepth', '1', '-delete');
      await host.start();
    },
    freeze: async () => {
      // Ask first: a stopped podman that holds a lock of the storage would block this one.
      const containers = await host.containers();
      const stopped: number[] = [];
      const stopAll = (pids: readonly number[]) => {
        for (const pid of pids.filter((one) => !stopped.includes(one))) {
          signalTo(pid, 'SIGSTOP');
          stopped.push(pid);
        }
      };
      // The worker first: it must not notice that its container has stopped.
      stopAll([host.pid()]);
      stopAll(await familyOf(host.pid()));
      stopAll(await processesOf(containers));
      return () => {
        for (const pid of stopped.reverse()) signalTo(pid, 'SIGCONT');
      };
    },
    resize: async (which, bytes) => {
      const isOwn = (which === 'work' ? options.workSize : options.storageSize) !== undefined;
      if (!isOwn) throw new Error(`${name} has no file system of its own for that`);
      const place = which === 'work' ? work : STORAGE;
      const inside = (...command: string[]) => execa(enter[0]!, [...enter.slice(1), ...command]);
      for (let tries = 1; ; tries++) {
        // Ask the file system itself: containers' mounts cover the directories.
        const used = await inside('stat', '--file-system', '--format=%b %f %S', place);
        const [blocks, free, size] = used.stdout.split(' ').map(Number) as [number, number, number];
        const wanted = bytes ?? (blocks - free) * size + 64 * 1024;
        try {
          await inside('mount', '-o', `remount,size=${wanted}`, place);
          return;
        } catch (error) {
          // More was written in the meantime.
          if (bytes !== undefined || tries === FULL_TRIES) throw error;
        }
      }
    },
    end: async () => {
      if (isUp()) {
        worker!.kill('SIGCONT');
        await host.stop();
      }
      for (const { id } of await host.containers().catch(() => [])) {
        // With its conmon dead the first removal fails, and the second succeeds.
        for (let tries = 0; tries < 2; tries++) {
          await podman(files, ['rm', '--force', '--time', '0', '--volumes', id]).catch(() => undefined);
        }
      }
      await space?.end();
      await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
  try {
    await host.start();
  } catch (error) {
    await host.end();
    throw error;
  }
  return host;
}

/**
 * Makes a mount namespace, with a podman state of its own unless told otherwise. It lasts as long as one process is in
 * it.
 */
export async function makeSpace(
  directory: string,
  work: string,
  {
    workSize = 0,
    storageSize = 0,
    hide = [],
    sharesPodman = false,
  }: Pick<BuildHostOptions, 'workSize' | 'storageSize' | 'hide'> & { sharesPodman?: boolean } = {},
): Promise<{ pid: number; end: () => Promise<void> }> {
  const binds: string[] = [];
  for (const place of sharesPodman ? [] : PODMAN_STATE) {
    const own = join(directory, place.slice(1).replaceAll('/', '-'));
    await mkdir(own, { recursive: true });
    await mkdir(place, { recursive: true });
    binds.push(own, place);
  }
  const script = [
    'set -e',
    'work=$1 size=$2 storage=$3 hidden=$4; shift 4',
    'while [ "$hidden" != 0 ]; do mount -t tmpfs -o mode=0700 tmpfs "$1"; hidden=$((hidden - 1)); shift; done',
    'if [ $# != 0 ]; then mount -t tmpfs tmpfs /dev/shm; fi',
    'while [ $# -gt 0 ]; do mount --bind "$1" "$2"; shift 2; done',
    `if [ "$storage" != 0 ]; then mount -t tmpfs -o "size=$storage,mode=0700" tmpfs ${STORAGE}; fi`,
    'if [ "$size" != 0 ]; then mount -t tmpfs -o "size=$size,mode=0700" tmpfs "$work"; fi',
    'echo made',
    // Ends with this process: nobody else holds the other side of its standard input.
    'exec cat',
  ].join('\n');
  const args = [
    '--mount',
    '--propagation=private',
    'sh',
    '-c',
    script,
    'sh',
    work,
    String(workSize),
    String(storageSize),
    String(hide.length),
    ...hide,
    ...binds,
  ];
  const holder = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const ended = once(holder, 'exit');
  await Promise.race([
    once(holder.stdout, 'data'),
    ended.then(() => Promise.reject(new Error('a mount namespace could not be made: this needs root'))),
  ]);
  return {
    pid: holder.pid!,
    end: async () => {
      holder.kill('SIGKILL');
      await ended;
      // The mounts go with the last process of the namespace, a moment later.
      await pause(200);
    },
  };
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

/** A process with all that it started, itself first. */
async function familyOf(pid: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const one of await allPids()) {
    const status = await readFile(`/proc/${one}/status`, 'utf8').catch(() => '');
    const parent = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1] ?? 0);
    children.set(parent, [...(children.get(parent) ?? []), one]);
  }
  const family = [pid];
  for (const one of family) family.push(...(children.get(one) ?? []));
  return family;
}

/** Mounts of the host that lie in its work directory, or that its containers have left. */
export async function mountsOf(host: Pick<HostFiles, 'enter' | 'work'>): Promise<string[]> {
  const [program, ...args] = [...(host.enter ?? []), 'cat', '/proc/self/mounts'];
  const { stdout } = await execa(program!, args);
  const target = /^--target=(\d+)$/.exec((host.enter ?? [])[1] ?? '')?.[1];
  return stdout.split('\n').filter((line) => {
    const [, place = ''] = line.split(' ');
    if (place.startsWith(`${host.work}/`)) return true;
    if (target === undefined || !/^\/var\/lib\/containers\/storage\/overlay\/.*\/merged$/.test(place)) return false;
    // The machine's own mounts were there before the host's storage was laid over them.
    return existsSync(`/proc/${target}/root${place}`);
  });
}

/** Processes that name one of these words among their arguments or in their cgroup's path: pid and program. */
export async function processesNaming(words: readonly string[]): Promise<{ pid: number; program: string }[]> {
  const found: { pid: number; program: string }[] = [];
  for (const pid of await allPids()) {
    const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (words.some((word) => cgroup.includes(word) || argv.includes(word))) {
      found.push({ pid, program: argv.split('\0').slice(0, 3).join(' ') });
    }
  }
  return found;
}

/**
 * The processes of containers, and their conmons: both have the container's id in their cgroup's or among their
 * arguments.
 */
async function processesOf(containers: readonly HostContainer[]): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await allPids()) {
    const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const isIts = ({ id }: HostContainer) => cgroup.includes(id) || (argv[0]!.endsWith('conmon') && argv.includes(id));
    if (containers.some(isIts)) found.push(pid);
  }
  return found;
}

async function allPids(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}
