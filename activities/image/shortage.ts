/** What a host runs short of while a step of a build is at work, as its kernel says, and not as any text does. */
import { readFileSync, statfsSync } from 'node:fs';

/** Bytes below which a file system is full for whoever writes a block more. */
const FULL = 1024 * 1024;

/** Looked at while a RUN is at work. */
export class Shortage {
  /** A file system that the build writes to was full. */
  diskFull = false;
  /** The kernel has ended a process of this host for lack of memory. */
  outOfMemory = false;
  readonly #directories: readonly string[];
  #killed = killedForMemory();

  /** @param directories that the build writes to */
  constructor(directories: readonly string[]) {
    this.#directories = directories;
  }

  /** A RUN begins: what happened before has not stopped it. */
  begin(): void {
    this.diskFull = false;
    this.outOfMemory = false;
    this.#killed = killedForMemory();
  }

  look(): void {
    this.diskFull ||= this.#directories.some(isFull);
    this.outOfMemory ||= killedForMemory() > this.#killed;
  }
}

function isFull(directory: string): boolean {
  const { bavail, bsize, ffree, files } = statfsSync(directory);
  return bavail * bsize < FULL || (files > 0 && ffree === 0);
}

/** Processes that the kernel has ended for lack of memory since it started; 0 before Linux 4.13. */
function killedForMemory(): number {
  return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1] ?? 0);
}
