/** Ending a process of a test. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Sends a signal unless it has ended, and waits for its end. */
export async function stopped(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
