/** Makes room in the storage of podman. */
import type { Space } from '../host/space.ts';
import { cachedImages, removeImage } from '../image/bases/local-images.ts';
import { listImages } from '../tools/podman/images.ts';
import { removablePulled, removePulled, usesOfPulled } from '../image/bases/pulled-images.ts';
import type { WorkDirectory } from '../host/work-directory.ts';

/** Shares of a file system (0 to 1): cleaning begins when less than `below` is free, and ends when `until` is free. */
interface Watermarks {
  below: number;
  until: number;
}

/**
 * Makes room in the storage: removes images that were built here, and pulled bases and builders, the least recently
 * used first, unless a release with a lease needs them. Returns what was removed, in words.
 */
export async function trimStorage(
  work: Pick<WorkDirectory, 'path' | 'installation'>,
  held: ReadonlySet<string>,
  { below, until }: Watermarks,
  space: () => Promise<Space>,
): Promise<string[]> {
  const removed: string[] = [];
  const isBelow = async (mark: number) => {
    const { free, total } = await space();
    return free < total * mark;
  };
  if (!(await isBelow(below))) return removed;
  const images = await listImages({ cleanUp: true });
  const built = cachedImages(images, work.installation, held).map(({ id, created }) => ({
    usedAt: created * 1000,
    words: `cached image ${id.slice(0, 12)}`,
    remove: () => removeImage(id),
  }));
  const pulled = removablePulled(images, work.installation, await usesOfPulled(work), held).map((image) => ({
    usedAt: image.usedAt,
    words: `pulled image ${image.id.slice(0, 12)}`,
    remove: () => removePulled(work, image),
  }));
  for (const { words, remove } of [...built, ...pulled].sort((left, right) => left.usedAt - right.usedAt)) {
    if (await remove()) removed.push(words);
    if (!(await isBelow(until))) break;
  }
  return removed;
}
