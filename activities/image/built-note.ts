/** A note in a release's directory: the bases that podman took for each image. */
import { join } from 'node:path';
import { z } from 'zod';
import { PinnedImage } from '../../model/release/record.ts';
import { readNote, writeNote } from '../tools/note.ts';

/** By image id. */
const Note = z.record(z.string(), z.array(PinnedImage));

/** Notes the bases of an image. `directory` is the release's own. */
export async function noteBuilt(directory: string, id: string, bases: readonly PinnedImage[]): Promise<void> {
  const file = fileIn(directory);
  await writeNote(file, Note, { ...(await readNote(file, Note)), [id]: [...bases] });
}

/** The images that this release has built here and the bases of each, the newest first. */
export async function readBuilt(directory: string): Promise<[id: string, bases: PinnedImage[]][]> {
  return Object.entries((await readNote(fileIn(directory), Note)) ?? {}).toReversed();
}

function fileIn(directory: string): string {
  return join(directory, 'built.json');
}
