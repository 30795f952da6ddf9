/** Files of an image in podman's storage, looked at without running anything of it. */
import { randomUUID } from 'node:crypto';
import { lstat, readlink } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { removeContainer } from './container.ts';
import { podman } from './podman.ts';

/** More links than a path has by right (as Linux counts them): a loop. */
const MAX_LINKS = 40;

/** What there is at a path in an image. */
interface ImageFile {
  kind: 'file' | 'directory' | 'other';
  /** Permission bits. */
  mode: number;
}

/** The file at an absolute path in an image; null when there is none. */
export async function imageFile(image: string, path: string): Promise<ImageFile | null> {
  const what = `looking into ${image}`;
  const root = (await podman(what, ['image', 'mount', image])).stdout.trim();
  try {
    return await fileInside(root, path);
  } finally {
    await podman(what, ['image', 'unmount', image], { cleanUp: true });
  }
}

/**
 * The file at an absolute path below a root; links of the tree are followed within it, as in a container. Null when
 * there is none.
 */
export async function fileInside(root: string, path: string): Promise<ImageFile | null> {
  let links = 0;
  let rest = path.split('/');
  let at = '/';
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    // `normalize` of an absolute path never climbs above `/`.
    const next = normalize(`${at}/${name}`);
    const facts = await lstat(join(root, next)).catch(() => null);
    if (!facts) return null;
    if (!facts.isSymbolicLink()) {
      at = next;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return null;
    const target = await readlink(join(root, next));
    if (target.startsWith('/')) at = '/';
    rest = [...target.split('/'), ...rest];
  }
  const facts = await lstat(join(root, at));
  const kind = facts.isFile() ? 'file' : facts.isDirectory() ? 'directory' : 'other';
  return { kind, mode: facts.mode & 0o7777 };
}

/**
 * Copies a file or directory out of an image; links are looked up within it, so that none leads to a file of this host.
 *
 * @param labels by which a clean-up finds the container that is made for it, should this process die
 * @returns `false` when the image has nothing there
 */
export async function copyFromImage(
  image: string,
  path: string,
  destination: string,
  labels: Readonly<Record<string, string>>,
): Promise<boolean> {
  const name = `flightline-files-${randomUUID()}`;
  const labelled = Object.entries(labels).map(([label, value]) => `--label=${label}=${value}`);
  // It never runs; an image without a command needs one to be made a container of.
  await podman(`looking into ${image}`, ['create', `--name=${name}`, '--pull=never', ...labelled, image, '/none']);
  try {
    await podman(`copying ${path} of ${image}`, ['cp', `${name}:${path}`, destination]);
    return true;
  } catch (error) {
    if (error instanceof FlightlineError && /could not be found|no such file/i.test(error.message)) return false;
    throw error;
  } finally {
    await removeContainer(name);
  }
}
