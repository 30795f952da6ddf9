/** Keeps the processes of an embedded stack: notes them in stack.json, starts dead workers again, ends all in order. */
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive } from '../../../activities/tools/process/process-identity.ts';
import {
  childError,
  BACKOFF,
  restartPause,
  endProcess,
  startChild,
  waitUntilReady,
  type Child,
  type ChildPlan,
} from './child.ts';
import { writeState, type ChildState, type StackPorts } from '../state.ts';

/** What happens to a stack's processes, for the terminal. */
export interface StackEvent {
  type: 'starting' | 'ready' | 'died' | 'restarting' | 'stopping' | 'stopped' | 'left-over';
  /** Name of the process: `temporal`, `registry`, `control`, `build`, `sign`. */
  child: string;
  /** One line for people. */
  message: string;
}

/**
 * A process that the stack needs is given up when it has died so often in a row: its files are damaged, or the disk is
 * full.
 */
const MAX_DEATHS = 3;

/**
 * What follows the death of a process. It is started again, with a growing pause: `always`, or, for a server that all
 * others need, until it died {@link MAX_DEATHS} times in a row; then the stack is given up, since a person must see
 * why.
 */
type Restart = 'always' | 'needed';

/**
 * The processes of a stack, kept running. Server and registry keep all their state in files, and everybody who talks to
 * them tries again: a new process goes on where the former one was killed.
 */
export class Supervisor {
  private readonly children = new Map<string, Child>();
  private readonly stopping = new AbortController();
  private readonly supervision: Promise<void>[] = [];
  private readonly directory: string;
  private readonly ports: StackPorts;
  private readonly onEvent: (event: StackEvent) => void;
  private readonly onFatal: (error: Error) => void;

  constructor(options: {
    directory: string;
    ports: StackPorts;
    onEvent: (event: StackEvent) => void;
    /** Told once, when a process that the stack needs is given up. */
    onFatal: (error: Error) => void;
  }) {
    this.directory = options.directory;
    this.ports = options.ports;
    this.onEvent = options.onEvent;
    this.onFatal = options.onFatal;
  }

  /** What runs now. */
  running(): ChildState[] {
    return [...this.children.entries()]
      .filter(([, child]) => !child.hasEnded())
      .map(([name, child]) => ({ name, ...child.identity }));
  }

  /** Starts a process, waits until it serves, and keeps it running. */
  async start(plan: ChildPlan, restart: Restart, signal?: AbortSignal): Promise<void> {
    this.onEvent({ type: 'starting', child: plan.name, message: `starting the ${plan.title}` });
    const child = await this.launch(plan);
    await waitUntilReady(child, signal);
    this.onEvent({ type: 'ready', child: plan.name, message: `the ${plan.title} is ready` });
    this.supervision.push(this.keepAlive(child, restart));
  }

  /** Ends the processes of each group together, group after group. Nothing is started again from now on. */
  async stop(groups: readonly (readonly string[])[]): Promise<void> {
    this.stopping.abort();
    for (const group of groups) {
      await Promise.all(
        group.map(async (name) => {
          const child = this.children.get(name);
          if (!child || child.hasEnded()) return;
          this.onEvent({ type: 'stopping', child: name, message: `stopping the ${child.plan.title}` });
          await endProcess(child.identity, child.plan.stopWithin);
          await child.ended;
          this.onEvent({ type: 'stopped', child: name, message: `the ${child.plan.title} has stopped` });
        }),
      );
      this.noteEnd();
    }
    await Promise.allSettled(this.supervision);
    // A worker may have been started again at the very moment of the stop.
    for (const child of this.children.values()) await endProcess(child.identity, child.plan.stopWithin);
    this.noteEnd();
  }

  private async launch(plan: ChildPlan): Promise<Child> {
    const child = await startChild(plan);
    this.children.set(plan.name, child);
    try {
      this.note();
    } catch (error) {
      // Nobody would find it after a kill of this process.
      await endProcess(child.identity, plan.stopWithin);
      throw error;
    }
    return child;
  }

  private note(): void {
    writeState(this.directory, { version: 1, ports: this.ports, children: this.running() });
  }

  /** What ends must end also where nothing can be written. The next start sees that a process has ended. */
  private noteEnd(): void {
    try {
      this.note();
    } catch {
      // stack.json names one process too many.
    }
  }

  private async keepAlive(first: Child, restart: Restart): Promise<void> {
    const { plan } = first;
    let child = first;
    for (let deaths = 0, startedAt = Date.now(); ;) {
      const how = await child.ended;
      if (this.stopping.signal.aborted) return;
      if (Date.now() - startedAt > BACKOFF.healthy) deaths = 0;
      const wait = restartPause(deaths);
      deaths += 1;
      this.noteEnd();
      if (restart === 'needed' && deaths === MAX_DEATHS) {
        const error = await childError(
          child,
          `died (${how}) ${deaths} times in a row, and the stack cannot go on without it`,
        );
        this.onEvent({ type: 'died', child: plan.name, message: error.message });
        this.onFatal(error);
        return;
      }
      const what = `died (${how}) and is started again in ${wait / 1000} s`;
      // Its last lines explain why it ended by itself. For a signal they explain nothing.
      const message = how.startsWith('SIG') ? `the ${plan.title} ${what}` : (await childError(child, what)).message;
      this.onEvent({ type: 'died', child: plan.name, message });
      try {
        await pause(wait, undefined, { signal: this.stopping.signal });
        this.onEvent({ type: 'restarting', child: plan.name, message: `starting the ${plan.title} again` });
        startedAt = Date.now();
        child = await this.launch(plan);
        await waitUntilReady(child, this.stopping.signal);
        this.onEvent({ type: 'ready', child: plan.name, message: `the ${plan.title} is ready again` });
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        // It ended, or hangs: either way its end starts the next round.
        this.onEvent({ type: 'died', child: plan.name, message: (error as Error).message });
        await endProcess(child.identity, plan.stopWithin);
      }
    }
  }
}

/** Time for a left-over process between SIGTERM and SIGKILL (ms): longer than a worker's own limit. */
const LEFT_OVER_STOP = 35_000;

/**
 * Ends processes that a killed stack left, told by pid and start time: workers first, since they report to the server.
 */
export async function endLeftOvers(
  children: readonly ChildState[],
  onEvent: (event: StackEvent) => void,
): Promise<void> {
  const isWorker = (child: ChildState) => child.name !== 'registry' && child.name !== 'temporal';
  const alive = children.filter((child) => isAlive(child));
  for (const group of [alive.filter(isWorker), alive.filter((child) => !isWorker(child))]) {
    await Promise.all(
      group.map(async (child) => {
        const message = `ending process ${child.pid} (${child.name}), left by an earlier stack that was killed`;
        onEvent({ type: 'left-over', child: child.name, message });
        await endProcess(child, LEFT_OVER_STOP);
      }),
    );
  }
}
