/** Ending a process of a test or a benchmark. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Milliseconds after which a signal that leads to nothing becomes SIGKILL. */
const PATIENCE = 40_000;

/** Sends a signal unless it has ended, and waits for its end. */
export async function stopped(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  await ended;
  clearTimeout(late);
}
