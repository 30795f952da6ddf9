/** What Ctrl-C and SIGTERM do. */
import { constants } from 'node:os';

const ENDING = ['SIGINT', 'SIGTERM'] as const;

/** The first signal that this process got. */
let received: NodeJS.Signals | undefined;
/** How many pieces of work stop at a signal by themselves. */
let stoppable = 0;
/** What is true when a signal ends the command before any of them begins. */
let soFar = '';

/** 128 and the number of the first signal: 130, or 143 for SIGTERM. */
export function exitCodeOfSignal(): number {
  return 128 + constants.signals[received ?? 'SIGINT'];
}

/**
 * From now on Ctrl-C and SIGTERM end the process with a line, except during {@link withInterrupt} and
 * {@link withStop}. Its exit removes temporary directories and ends the programs that it started.
 */
export function endAtSignals(): void {
  for (const name of ENDING) {
    process.on(name, () => {
      received ??= name;
      if (stoppable > 0) return;
      process.stderr.write(`interrupted${soFar && `: ${soFar}`}\n`);
      process.exit(exitCodeOfSignal());
    });
  }
}

/** What that line says besides, until work that stops by itself begins: `no release was started`. */
export function ifInterrupted(truth: string): void {
  soFar = truth;
}

/**
 * Gives work a signal that Ctrl-C or SIGTERM aborts. A second one ends the process at once, for whoever does not want
 * to wait.
 */
export async function withInterrupt<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return withSignals(ENDING, work, () => process.exit(exitCodeOfSignal()));
}

/** The same for work that must stop what it started, which nothing cuts short: processes would be left behind. */
export async function withStop<T>(
  work: (signal: AbortSignal) => Promise<T>,
  names: readonly NodeJS.Signals[] = [...ENDING, 'SIGHUP'],
): Promise<T> {
  return withSignals(names, work, () => undefined);
}

async function withSignals<T>(
  names: readonly NodeJS.Signals[],
  work: (signal: AbortSignal) => Promise<T>,
  again: () => void,
): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    received ??= name;
    if (controller.signal.aborted) again();
    controller.abort();
  };
  for (const name of names) process.on(name, onSignal);
  stoppable++;
  soFar = '';
  try {
    return await work(controller.signal);
  } finally {
    stoppable--;
    for (const name of names) process.off(name, onSignal);
  }
}
