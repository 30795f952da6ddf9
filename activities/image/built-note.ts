/** What a release's directory keeps of an image that was built: the bases that podman took for it. */
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

/** The bases of an image that this release has built here; null when it did not, or it is not known any more. */
export async function readBuilt(directory: string, id: string): Promise<PinnedImage[] | null> {
  return (await readNote(fileIn(directory), Note))?.[id] ?? null;
}

function fileIn(directory: string): string {
  return join(directory, 'built.json');
}
