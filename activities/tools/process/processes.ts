/** Finds processes of this machine by their arguments, which alone tell what a killed worker left. */
import { readdir, readFile } from 'node:fs/promises';

/** The processes that have exactly this among their arguments. */
export async function processesWithArgument(argument: string): Promise<number[]> {
  return (await commandLines()).filter(({ words }) => words.includes(argument)).map(({ pid }) => pid);
}

/** The arguments of all processes that begin so. */
export async function argumentsWith(prefix: string): Promise<string[]> {
  return (await commandLines()).flatMap(({ words }) => words.filter((word) => word.startsWith(prefix)));
}

/** Every process but this one. */
async function commandLines(): Promise<{ pid: number; words: string[] }[]> {
  const found: { pid: number; words: string[] }[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const text = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    found.push({ pid: Number(name), words: text.split('\0') });
  }
  return found;
}

/** Sends a signal. Does nothing for a process that has ended. */
export function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself.
  }
}
