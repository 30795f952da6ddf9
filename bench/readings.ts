/** The kernel's figures about processes and files (proc(5)). */
import { readFile, readdir, statfs } from 'node:fs/promises';
import { execa } from 'execa';

/** Clock ticks of /proc/PID/stat in a second (sysconf _SC_CLK_TCK), 100 on every Linux that Node runs on. */
const TICKS = 100;

/** Seconds of one core that a process and the programs it has waited for have used. */
export async function cpuSeconds(pid: number): Promise<number> {
  const fields = await statFields(String(pid));
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
}

/** The fields of /proc/PID/stat from the third on: utime, stime, cutime and cstime are the 14th to 17th. */
async function statFields(pid: string): Promise<string[]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The second one is the program's name in parentheses, and may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** The same of the programs that this process has waited for. */
export async function cpuSecondsOfChildren(): Promise<number> {
  const fields = await statFields('self');
  return fields.slice(13, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
}

/** Bytes of memory that a process has resident. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

/**
 * Bytes that a process, and every program that it has waited for, caused to be written to a disk, out of the text of a
 * /proc/PID/io: `write_bytes` without what was removed again before it was written. What a registry or a builder in its
 * container writes is not among it, since neither is waited for.
 */
export function writtenBytes(io: string): number {
  const value = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(io)?.[1] ?? Number.NaN);
  return value('write_bytes') - value('cancelled_write_bytes');
}

/** Bytes of a file system that are in use. */
export async function usedBytes(place: string): Promise<number> {
  const { blocks, bfree, bsize } = await statfs(place);
  return (blocks - bfree) * bsize;
}

/** Bytes that the files below some directories take on the disk; none for those that are not there. */
export async function diskUse(directories: readonly string[]): Promise<number> {
  if (directories.length === 0) return 0;
  const { stdout } = await execa('du', ['--summarize', '--total', '--block-size=1', ...directories], { reject: false });
  return Number(/^(\d+)\ttotal$/m.exec(stdout)?.[1] ?? 0);
}

/** Total length of all files below a directory. */
export async function bytesBelow(directory: string): Promise<number> {
  const { stdout } = await execa('find', [directory, '-type', 'f', '-printf', '%s\n'], { reject: false });
  return stdout.split('\n').reduce((sum, line) => sum + Number(line), 0);
}

/** The names in a directory; none when it does not exist. */
export async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

/**
 * Calls a probe again and again until stopped; answers what it gave. One that fails is left out: a process may have
 * ended.
 */
export function sample<Value>(interval: number, probe: () => Promise<Value>): { stop(): Promise<Value[]> } {
  const values: Value[] = [];
  let over = false;
  const running = (async () => {
    while (!over) {
      const value = await probe().catch(() => undefined);
      if (value !== undefined) values.push(value);
      await new Promise((done) => setTimeout(done, interval));
    }
  })();
  return {
    stop: async () => {
      over = true;
      await running;
      return values;
    },
  };
}
