/** Finds processes of this machine by their arguments, which alone tell what a killed worker left. */
import { readdir, readFile } from 'node:fs/promises';
import { together } from '../together.ts';

/** The processes that have exactly this among their arguments. */
export async function processesWithArgument(argument: string): Promise<number[]> {
  return (await commandLines()).filter(({ words }) => words.includes(argument)).map(({ pid }) => pid);
}

/** The arguments of all processes that begin so. */
export async function argumentsWith(prefix: string): Promise<string[]> {
  return (await commandLines()).flatMap(({ words }) => words.filter((word) => word.startsWith(prefix)));
}

/** Every process but this one. One after the other they would take as long as starting a program. */
async function commandLines(): Promise<{ pid: number; words: string[] }[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return together(names, async (name) => {
    const text = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    return { pid: Number(name), words: text.split('\0') };
  });
}

/** Sends a signal. Does nothing for a process that has ended. */
export function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself.
  }
}
