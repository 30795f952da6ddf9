/** Leaves a disk's file in the user's directory on the host (`--keep-files`). Replaces no other file. */
import { randomUUID } from 'node:crypto';
import { constants, copyFile, link, lstat, mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Architecture } from '../../model/base/host.ts';
import type { DiskType } from '../../model/spec/disk.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { hashFile, type HashedFile } from './file.ts';

/** Whose file it is. */
interface Kept {
  type: DiskType;
  /** One of several. */
  platform?: Architecture | undefined;
}

/**
 * Name of a kept file: the builder's, with the platform before it where there are several, and the disk type unless the
 * name shows it (`ami-disk.raw.gz`).
 */
function keptName({ type, platform }: Kept, file: string): string {
  const name = basename(file);
  return [...(platform ? [platform] : []), ...(name.includes(`.${type}`) ? [] : [type]), name].join('-');
}

/**
 * Links the file into the directory, or copies it to another file system. Does nothing when the same file is there.
 * Returns the absolute path.
 *
 * @throws FlightlineError `host-setup` when another file of that name is there, or the directory cannot be written.
 */
export async function keepFile(directory: string, whose: Kept, file: HashedFile): Promise<string> {
  const target = join(directory, keptName(whose, file.path));
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw unusable(directory, error as NodeJS.ErrnoException);
  }
  try {
    await place(file.path, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(directory, error as NodeJS.ErrnoException);
    if (!(await isSame(file, target))) {
      throw new FlightlineError('host-setup', `${target} exists already and is another file`, {
        remedy: `move ${target} away on the build host`,
      });
    }
  }
  return target;
}

function unusable(directory: string, error: NodeJS.ErrnoException): Error {
  // A full disk is a kind of its own.
  if (error.code === 'ENOSPC') return error;
  return new FlightlineError('host-setup', `cannot keep the disk in ${directory}: ${error.message}`, {
    remedy: `make ${directory} writable on the build host`,
    cause: error,
  });
}

async function place(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const draft = `${target}.${randomUUID()}`;
    try {
      await copyFile(source, draft, constants.COPYFILE_FICLONE);
      // A link refuses an existing name; a rename would replace it.
      await link(draft, target);
    } finally {
      await rm(draft, { force: true });
    }
  }
}

async function isSame(file: HashedFile, target: string): Promise<boolean> {
  const [ours, theirs] = await Promise.all([lstat(file.path), lstat(target)]);
  if (!theirs.isFile() || theirs.size !== ours.size) return false;
  return (theirs.ino === ours.ino && theirs.dev === ours.dev) || (await hashFile(target)).sha256 === file.sha256;
}
