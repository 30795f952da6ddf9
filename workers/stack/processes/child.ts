/** One process of the embedded stack, in a session of its own, with its output in a log file. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, renameSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { lastLines } from '../../../activities/tools/process/command.ts';
import { redact } from '../../../activities/tools/process/redact.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { identityOf, isAlive, type ProcessIdentity } from '../../../activities/tools/process/process-identity.ts';

/** How a process is started, and when it is ready. */
export interface ChildPlan {
  name: string;
  /** For messages: `Temporal dev server`. */
  title: string;
  command: readonly [string, ...string[]];
  /** Its whole environment. */
  environment: NodeJS.ProcessEnv;
  logFile: string;
  /** Asked repeatedly until it is true. May read what the process has logged since it started. */
  isReady: (log: () => Promise<string>) => Promise<boolean>;
  /** How long it may take to be ready (ms). */
  readyWithin: number;
  /** How long it may take to end after SIGTERM before it gets SIGKILL (ms). */
  stopWithin: number;
}

/** A started process. */
export interface Child {
  readonly plan: ChildPlan;
  readonly identity: ProcessIdentity;
  /** Resolves when it has ended: `exit code 1`, `SIGKILL`. */
  readonly ended: Promise<string>;
  hasEnded(): boolean;
  /** What it has logged since it started; of a long log the end. */
  log(): Promise<string>;
}

/** A log larger than this is moved aside at the next start (bytes). */
const MAX_LOG = 20 * 1024 * 1024;
/** Lines of a log that are quoted in an error. */
const QUOTED_LINES = 15;
const POLL = 100;
/** Bytes of a log that are read. */
const MAX_READ = 256 * 1024;

/**
 * Starts a process in a session of its own, so that Ctrl-C in a terminal reaches only the stack, which ends its
 * processes in order.
 *
 * @throws FlightlineError `host-setup` when the program cannot be started.
 */
export async function startChild(plan: ChildPlan): Promise<Child> {
  rotate(plan.logFile);
  const descriptor = openSync(plan.logFile, 'a', 0o600);
  const from = statSync(plan.logFile).size;
  const [program, ...args] = plan.command;
  let subprocess: ChildProcess;
  try {
    subprocess = spawn(program, args, {
      cwd: '/',
      detached: true,
      env: plan.environment,
      stdio: ['ignore', descriptor, descriptor],
    });
  } finally {
    closeSync(descriptor);
  }
  let ended: string | undefined;
  const end = new Promise<string>((resolve) => {
    subprocess.once('exit', (code, signal) => resolve((ended = signal ?? `exit code ${code}`)));
    subprocess.once('error', (error) => resolve((ended = error.message)));
  });
  const { pid } = subprocess;
  if (pid === undefined) {
    throw new FlightlineError('host-setup', `the ${plan.title} could not be started: ${await end}`);
  }
  return {
    plan,
    identity: identityOf(pid) ?? { pid, started: '' },
    ended: end,
    hasEnded: () => ended !== undefined,
    log: () => readFrom(plan.logFile, from),
  };

  function rotate(file: string): void {
    try {
      if (statSync(file).size > MAX_LOG) renameSync(file, `${file}.1`);
    } catch {
      // There is no log yet.
    }
  }
}

/**
 * Waits until a process is ready.
 *
 * @throws FlightlineError `host-setup` with the last lines of its log, when it ends or is not ready in time. `signal`'s
 * reason when that aborts.
 */
export async function waitUntilReady(child: Child, signal?: AbortSignal): Promise<void> {
  const { plan } = child;
  const start = Date.now();
  for (;;) {
    signal?.throwIfAborted();
    if (child.hasEnded()) {
      throw await childError(child, `ended while starting (${await child.ended})`);
    }
    if (await plan.isReady(() => child.log())) return;
    if (Date.now() - start > plan.readyWithin) {
      throw await childError(child, `was not ready within ${Math.round(plan.readyWithin / 1000)} s`);
    }
    await pause(POLL);
  }
}

/** An error about a process, with the last lines of its log. */
export async function childError(child: Child, what: string): Promise<FlightlineError> {
  const words = lastLines(redact(await child.log()), QUOTED_LINES);
  return new FlightlineError('host-setup', `the ${child.plan.title} ${what}${words ? `:\n${words}` : ''}`, {
    remedy: { action: `the whole log is ${child.plan.logFile}`, then: null },
  });
}

/** Ends a process by SIGTERM. When it has not ended in time (ms), its process group gets SIGKILL. */
export async function endProcess(identity: ProcessIdentity, within: number): Promise<void> {
  if (!isAlive(identity)) return;
  signalProcess(identity.pid, 'SIGTERM');
  const deadline = Date.now() + within;
  while (isAlive(identity) && Date.now() < deadline) await pause(POLL / 2);
  if (!isAlive(identity)) return;
  signalProcess(-identity.pid, 'SIGKILL');
  signalProcess(identity.pid, 'SIGKILL');
  while (isAlive(identity)) await pause(POLL / 2);
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}

async function readFrom(file: string, from: number): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const begin = Math.max(from, size - MAX_READ);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.max(size - begin, 0)), 0, undefined, begin);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Pause before the n-th start in a row after a death (n from 0), in ms. */
export function restartPause(deaths: number): number {
  return Math.min(BACKOFF.first * 2 ** deaths, BACKOFF.longest);
}

/** First and longest pause before a dead worker is started again, and after how long it counts as healthy (ms). */
export const BACKOFF = { first: 1_000, longest: 30_000, healthy: 60_000 } as const;
