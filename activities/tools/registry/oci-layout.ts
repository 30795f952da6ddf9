/** Writes an OCI layout directory that skopeo reads as `oci:DIRECTORY`, without copying the big blob. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { constants, copyFile, link, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LAYOUT_FILE, layoutIndex, type Layout } from '../../../model/oci/manifest.ts';
import { currentTask } from '../process/task.ts';

/** A blob of a layout: bytes in memory, or a file that is hard-linked (copied only from another file system). */
export type LayoutBlob = { digest: string } & ({ bytes: Uint8Array } | { path: string });

/**
 * Makes `directory` a layout with one root, and removes what was in it. A linked file shares its bytes with the layout:
 * do not write to it afterwards.
 */
export async function writeLayout(directory: string, layout: Layout, blobs: readonly LayoutBlob[]): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  const blobPath = (digest: string) => layoutBlobPath(directory, digest);
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true, mode: 0o700 });
  for (const blob of blobs) {
    if ('bytes' in blob) await writeFile(blobPath(blob.digest), blob.bytes);
    else await linkOrCopy(blob.path, blobPath(blob.digest));
  }
  for (const { descriptor, bytes } of layout.documents) await writeFile(blobPath(descriptor.digest), bytes);
  await writeFile(join(directory, 'index.json'), layoutIndex(layout.root).bytes);
  // Last: a directory without it is not a layout.
  await writeFile(join(directory, 'oci-layout'), LAYOUT_FILE);
}

/** The path of a blob in a layout. */
export function layoutBlobPath(directory: string, digest: string): string {
  return join(directory, 'blobs', ...digest.split(':'));
}

/** Digest and size (bytes) of a file. Throws early when the stage is cancelled. */
export async function digestFile(path: string): Promise<{ digest: string; size: number }> {
  const stage = currentTask();
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, {
      highWaterMark: 1024 * 1024,
      signal: stage?.signal,
    })) {
      hash.update(chunk as Buffer);
    }
  } catch (error) {
    stage?.throwIfCancelled();
    throw error;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size: (await stat(path)).size };
}

async function linkOrCopy(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
    await copyFile(source, target, constants.COPYFILE_FICLONE);
  }
}
