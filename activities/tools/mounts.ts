/** What is mounted in a directory. */
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { runCommand } from './process/command.ts';

/** The places at or below a directory where something is mounted, the last one first. */
async function mountsBelow(directory: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).trim().split('\n');
  // proc_pid_mountinfo(5): blanks and the like are octal numbers.
  const places = lines.map((line) =>
    line.split(' ')[4]!.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))),
  );
  return places.filter((place) => place === directory || place.startsWith(`${directory}/`)).reverse();
}

/**
 * Unmounts everything in a directory. A killed podman leaves the sources of `RUN --mount` mounted there, and removing
 * the directory would empty them.
 */
export async function unmountBelow(directory: string): Promise<void> {
  // The kernel lists paths without links. A link itself is not followed, since its target is not removed.
  const above = await realpath(dirname(directory)).catch(() => dirname(directory));
  for (const place of await mountsBelow(join(above, basename(directory)))) {
    await runCommand('umount', ['--lazy', '--', place], { okExitCodes: [0, 32], cleanUp: true });
  }
}
