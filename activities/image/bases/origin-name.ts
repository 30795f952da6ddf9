/**
 * The name that the builder is given: `repository:tag` from which machines take updates, which it writes into the disk.
 * Releases share it, so it is one image's while a builder runs. A note tells clean-up of it.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isHeldName, withHeldName } from './base-names.ts';
import { readNote, writeNote } from '../../tools/note.ts';
import { imageExists, tagImage } from '../../tools/podman/images.ts';

const OriginName = z.object({ name: z.string() });
const noteIn = (directory: string) => join(directory, 'origin.json');

/**
 * Gives an image the name while `body` runs. Waits while a builder is given another image by it.
 *
 * @param directory of the release on this host
 * @param image its name by digest
 * @param isGiven an earlier worker gave it to a builder that still runs, or has ended
 */
export async function withOriginName<Result>(
  directory: string,
  { name, image, isGiven }: { name: string; image: string; isGiven: boolean },
  signal: AbortSignal,
  body: () => Promise<Result>,
): Promise<Result> {
  const give = async () => {
    if (isGiven && !(await imageExists(image))) return;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeNote(noteIn(directory), OriginName, { name });
    await tagImage(image, name);
  };
  return withHeldName(name, image, signal, give, body);
}

/** The name that a release gave, unless a builder of another one is using it. */
export async function originNameIn(directory: string): Promise<string | undefined> {
  const name = (await readNote(noteIn(directory), OriginName))?.name;
  return name === undefined || isHeldName(name) ? undefined : name;
}
