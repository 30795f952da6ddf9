/** A worker that a test has started by a command of its own, whose output goes to a file. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { hasReadyEvent } from '../../workers/telemetry/log.ts';
import { eventually } from './wait.ts';

/**
 * Waits until it polls. Returns what ends it: by SIGTERM, and then by `tidy`. One that does not become ready is ended.
 *
 * @param name what a failure calls it
 * @param log path of its output
 */
export async function untilReady(
  child: ChildProcess,
  name: string,
  log: string,
  tidy: () => Promise<void> = () => Promise.resolve(),
): Promise<() => Promise<void>> {
  const ended = once(child, 'exit');
  const isUp = () => child.exitCode === null && child.signalCode === null;
  const end = async () => {
    if (isUp()) child.kill('SIGTERM');
    await ended;
    await tidy();
  };
  try {
    await eventually(`${name} is ready`, async () => {
      const text = await readFile(log, 'utf8');
      if (!isUp()) throw new Error(`${name} ended: ${text}`);
      return hasReadyEvent(text) || undefined;
    });
  } catch (error) {
    await end();
    throw error;
  }
  return end;
}
