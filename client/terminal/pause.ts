/** Waiting that can be interrupted, and what interrupts it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from './errors.ts';
import { exitCodeOfSignal } from './signals.ts';

/** Ctrl-C or SIGTERM: the command stops looking; what runs in Temporal goes on. */
export class Interrupted extends UserError {
  constructor(message = 'interrupted', remedy = '') {
    super('interrupted', message, remedy, exitCodeOfSignal());
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
 * Gives up waiting when the signal is aborted, for work that takes no signal. Its programs and temporary directories
 * end with this process.
 *
 * @throws Interrupted
 */
export async function interruptible<T>(work: Promise<T>, signal: AbortSignal, message?: string): Promise<T> {
  const over = new AbortController();
  const interrupted = new Promise<never>((_, reject) => {
    const give = () => reject(new Interrupted(message));
    if (signal.aborted) give();
    signal.addEventListener('abort', give, { once: true, signal: over.signal });
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    over.abort();
  }
}
