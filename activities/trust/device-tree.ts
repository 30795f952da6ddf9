/** Writes a device's files below a directory that represents its root. */
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DeviceFile } from '../../model/device/signature-policy.ts';

/**
 * Writes the files (0644), each whole or not at all, and missing directories (0755), whatever the umask. Existing
 * directories keep their mode.
 *
 * @returns the paths written, in order
 */
export async function writeDeviceTree(root: string, files: readonly DeviceFile[]): Promise<string[]> {
  const written: string[] = [];
  for (const { path, text } of files) {
    const file = join(root, path);
    await makeDirectory(dirname(file));
    const draft = `${file}.${process.pid}.new`;
    try {
      await writeFile(draft, text, { flag: 'wx' });
      await chmod(draft, 0o644);
      await rename(draft, file);
    } finally {
      await rm(draft, { force: true });
    }
    written.push(file);
  }
  return written;
}

async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true });
  if (first === undefined) return;
  for (let made = directory; made.length >= first.length; made = dirname(made)) await chmod(made, 0o755);
}
