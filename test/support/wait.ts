/** Waiting for something that will be true soon. */
import { setTimeout as pause } from 'node:timers/promises';

/** Calls `probe` until it gives something other than `undefined`. Fails with `what` after `timeout` milliseconds. */
export async function eventually<Result>(
  what: string,
  probe: () => Promise<Result | undefined>,
  { timeout = 120_000, interval = 250 }: { timeout?: number; interval?: number } = {},
): Promise<Result> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const result = await probe();
    if (result !== undefined) return result;
    if (Date.now() > deadline) throw new Error(`waited ${timeout / 1000} s in vain: ${what}`);
    await pause(interval);
  }
}
