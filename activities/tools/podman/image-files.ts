/** Files of an image in podman's storage, read without running the image. */
import { randomUUID } from 'node:crypto';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { removeContainer } from './container/container.ts';
import { podman } from './podman.ts';
import { type ImageFile, fileInside } from './file-inside.ts';

/** The file at an absolute path in an image; null when it does not exist. */
export async function imageFile(image: string, path: string): Promise<ImageFile | null> {
  return withMountedImage(image, (root) => fileInside(root, path));
}

/** Runs `body` with the root file system of an image. Links in it may lead out of it: follow none. */
export async function withMountedImage<Result>(
  image: string,
  body: (root: string) => Promise<Result>,
): Promise<Result> {
  const what = `looking into ${image}`;
  const root = (await podman(what, ['image', 'mount', image])).stdout.trim();
  try {
    return await body(root);
  } finally {
    await podman(what, ['image', 'unmount', image], { cleanUp: true });
  }
}

/**
 * Copies a file or directory out of an image. Follows links within the image, so that none leads to a file of this
 * host.
 *
 * @param labels for the container that is made for it, by which clean-up finds it if this process dies
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
  // It never runs, but podman creates no container from an image without a command.
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
