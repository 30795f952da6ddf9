/**
 * Notices a program that hangs: one that neither reads nor writes anything any more, be it files, pipes or connections.
 */
import { readFile } from 'node:fs/promises';

/** Looks within the time after which a program counts as hanging. */
const LOOKS = 8;
/**
 * Bytes per second, on average, below which nothing is transferred: a podman that waits moves some 100 to wake itself.
 */
const LEAST = 1024;

/**
 * Calls `stalled`, once, when the process has moved less than 1 KiB per second for `after` milliseconds. Time is
 * counted in looks, so that a machine that slept does not count. Without /proc, or without the right to look, nothing
 * ever stalls. Returns what ends the watch.
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

/** Bytes that a process has read and written so far (proc(5), `/proc/PID/io`); `undefined` when that cannot be seen. */
async function bytesMoved(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => '');
  const [read, written] = ['rchar', 'wchar'].map((name) => new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1]);
  return read === undefined || written === undefined ? undefined : Number(read) + Number(written);
}
