/** Notices a program that hangs: one that no longer reads or writes files, pipes or connections. */
import { readFile } from 'node:fs/promises';

/** How many checks there are until a program counts as hanging. */
const LOOKS = 8;
/** Average bytes per second below which nothing is transferred. A waiting podman moves about 100 to wake itself. */
const LEAST = 1024;

/**
 * Calls `stalled`, once, when the process has moved less than 1 KiB per second for `after` milliseconds. Counts checks
 * instead of time, so that a sleeping machine does not count. Without /proc, or without the right to read it, nothing
 * ever stalls. Returns a function that ends the watch.
 */
export function watchStall(pid: number, after: number, stalled: () => void): () => void {
  const least = (LEAST * after) / 1_000;
  let moved = 0;
  let idle = 0;
  const timer = setInterval(() => {
    void bytesMoved(pid).then((now) => {
      if (now === undefined || now - moved >= least) {
        moved = now ?? moved;
        idle = 0;
        return;
      }
      idle += 1;
      if (idle < LOOKS) return;
      clearInterval(timer);
      stalled();
    });
  }, after / LOOKS);
  return () => clearInterval(timer);
}

/** Bytes that a process has read and written (proc(5), `/proc/PID/io`); `undefined` when they cannot be read. */
async function bytesMoved(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => '');
  const [read, written] = ['rchar', 'wchar'].map((name) => new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1]);
  return read === undefined || written === undefined ? undefined : Number(read) + Number(written);
}
