/** Waiting that can be interrupted, and what interrupts it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** Ctrl-C: the command stops looking; what runs in Temporal goes on. */
export class Interrupted extends UserError {
  constructor(message = 'interrupted', remedy = '') {
    super('interrupted', message, remedy, EXIT.detached);
    this.name = 'Interrupted';
  }
}

/**
 * Waits.
 *
 * @throws Interrupted when the signal is aborted.
 */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch (error) {
    if (signal?.aborted) throw new Interrupted();
    throw error;
  }
}

/**
 * Gives work a signal that Ctrl-C aborts. A second Ctrl-C ends the process at once, for whoever does not want to
 * wait.
 */
export async function withInterrupt<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return withSignals(['SIGINT'], work, () => process.exit(EXIT.detached));
}

/**
 * The same for work that must stop what it started: SIGTERM too, and nothing cuts the stopping short, since processes
 * would be left behind.
 */
export async function withStop<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return withSignals(['SIGINT', 'SIGTERM', 'SIGHUP'], work, () => undefined);
}

/**
 * Gives up waiting when the signal is aborted, for work that takes no signal; its programs end with this process.
 *
 * @throws Interrupted
 */
export async function interruptible<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const over = new AbortController();
  const interrupted = new Promise<never>((_, reject) => {
    const give = () => reject(new Interrupted());
    if (signal.aborted) give();
    signal.addEventListener('abort', give, { once: true, signal: over.signal });
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    over.abort();
  }
}

async function withSignals<T>(
  names: readonly NodeJS.Signals[],
  work: (signal: AbortSignal) => Promise<T>,
  again: () => void,
): Promise<T> {
  const controller = new AbortController();
  const onSignal = () => (controller.signal.aborted ? again() : controller.abort());
  for (const name of names) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of names) process.off(name, onSignal);
  }
}
