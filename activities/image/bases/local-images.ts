/** The names that a release has given to images in this host's storage, and their end. The layers stay, as cache. */
import { isPrivateImage, releaseImages, builtImages } from '../../tools/podman/build.ts';
import { type ListedImage } from '../../tools/podman/images.ts';
import { podman } from '../../tools/podman/podman.ts';

/** What is to be done with an image. */
interface Unnaming {
  id: string;
  /** Names to take away. */
  names: readonly string[];
  /** The image goes too: it has no name left, and was pulled, so that it is nobody's cache, or holds a secret. */
  remove: boolean;
}

/** Below it lie the images that any installation on this machine has built. */
const BUILT = 'localhost/flightline/';

/**
 * Which names a release leaves on a host: those of what it built, the name under which the builder was given the image,
 * and the digest that was pulled for it. Pure.
 */
export function namesOfRelease(images: readonly ListedImage[], installation: string, release: string): Unnaming[] {
  const published = release.replace(/^release\//, '');
  const repository = published.slice(0, published.lastIndexOf(':'));
  const own = `${releaseImages(installation, release)}:`;
  return images.flatMap((image) => {
    const built = image.names.filter((name) => name.startsWith(own));
    const pulled = image.names.filter((name) => name.startsWith(`${repository}@`));
    // A person's own image of that name was not pulled by digest, and keeps it.
    const given = pulled.length > 0 ? image.names.filter((name) => name === published) : [];
    const names = built.length + given.length > 0 ? [...built, ...given, ...pulled] : [];
    // Its name may have been taken from it by a clean-up that was killed, or by an image that was built after it.
    const secret = [...image.names, ...image.formerNames].some((name) => name.startsWith(own) && isPrivateImage(name));
    if (names.length === 0 && !(secret && image.names.length === 0)) return [];
    return [{ id: image.id, names, remove: names.length === image.names.length && (secret || !isCache(image)) }];
  });
}

/** It was built here, or by another installation, and holds no secret. */
function isCache(image: ListedImage): boolean {
  return [...image.names, ...image.formerNames].some((name) => name.startsWith(BUILT));
}

/** Takes names, and images where so decided. Returns what was done, in words. */
export async function unname(unnamings: readonly Unnaming[]): Promise<string[]> {
  const done: string[] = [];
  for (const { id, names, remove } of unnamings) {
    // Somebody else may be quicker, or still use the image: the name is gone or stays theirs.
    const options = { okExitCodes: [0, 1, 2, 125], cleanUp: true };
    // Without names `podman untag` would take all.
    const untagged =
      names.length > 0 && (await podman('podman untag', ['untag', id, ...names], options)).exitCode === 0;
    if (untagged) done.push(...names.map((name) => `name ${name}`));
    if (remove && (await removeImage(id, ['--no-prune']))) done.push(`image ${id.slice(0, 12)}`);
  }
  return done;
}

/**
 * Removes an image, and those without a name that it was built on unless `--no-prune`. `false` when it is still in use.
 */
export async function removeImage(id: string, flags: readonly '--no-prune'[] = []): Promise<boolean> {
  const options = { okExitCodes: [0, 1, 2, 125], cleanUp: true };
  return (await podman('podman rmi', ['rmi', ...flags, id], options)).exitCode === 0;
}

/** The names of built images whose release has no lease here; for images that hold a secret, the image itself. Pure. */
export function orphanedNames(
  images: readonly ListedImage[],
  installation: string,
  held: ReadonlySet<string>,
): Unnaming[] {
  const prefix = `${builtImages(installation)}/`;
  const isOrphaned = (name: string) => name.startsWith(prefix) && !held.has(name.slice(prefix.length).split(':')[0]!);
  return images.flatMap((image) => {
    const names = image.names.filter(isOrphaned);
    const remove =
      names.length === image.names.length &&
      [...image.names, ...image.formerNames].some((name) => isOrphaned(name) && isPrivateImage(name));
    return names.length > 0 || remove ? [{ id: image.id, names, remove }] : [];
  });
}

/**
 * The unnamed images that this installation built and that stay as cache, the oldest first. A release with a lease may
 * have adopted an image that it built before. Pure.
 */
export function cachedImages(
  images: readonly ListedImage[],
  installation: string,
  held: ReadonlySet<string>,
): ListedImage[] {
  const prefix = `${builtImages(installation)}/`;
  const keys = (image: ListedImage) =>
    image.formerNames.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length).split(':')[0]!);
  return images
    .filter((image) => image.names.length === 0 && keys(image).length > 0 && !keys(image).some((key) => held.has(key)))
    .sort((left, right) => left.created - right.created);
}
