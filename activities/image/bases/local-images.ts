/** Finds and removes the names that a release gave to images in this host's storage. The layers stay as cache. */
import { ARCHITECTURES } from '../../../model/base/host.ts';
import { entryTag } from '../../../model/oci/reference.ts';
import { isPrivateImage, releaseImages, builtImages } from '../../tools/podman/build.ts';
import { type ListedImage } from '../../tools/podman/images.ts';
import { podman } from '../../tools/podman/podman.ts';

/** What to do with an image. */
interface Unnaming {
  id: string;
  /** Names to remove. */
  names: readonly string[];
  /** Removes the image too, which has no other name and was pulled or holds a secret. */
  remove: boolean;
}

/** The repository above the images that any installation on this machine has built. */
const BUILT = 'localhost/flightline/';

/**
 * The names that a release leaves on a host: those of what it built, its own tag and those of its platforms, the name
 * under which the builder got the image (`origin`), and the digest that was pulled for it. Pure.
 */
export function namesOfRelease(
  images: readonly ListedImage[],
  installation: string,
  release: string,
  origin?: string,
): Unnaming[] {
  const published = release.replace(/^release\//, '');
  const colon = published.lastIndexOf(':');
  const repository = published.slice(0, colon);
  const tag = published.slice(colon + 1);
  const own = [published, ...ARCHITECTURES.map((one) => `${repository}:${entryTag(tag, one)}`)];
  const ours = `${releaseImages(installation, release)}:`;
  return images.flatMap((image) => {
    const built = image.names.filter((name) => name.startsWith(ours));
    const pulled = image.names.filter((name) => name.startsWith(`${repository}@`));
    // A person's own image of that name was not pulled by digest, so it keeps the name.
    const given = pulled.length > 0 ? image.names.filter((name) => own.includes(name)) : [];
    const isOurs = built.length + given.length > 0;
    const followed = pulled.length > 0 ? image.names.filter((name) => name === origin && !own.includes(name)) : [];
    const names = isOurs ? [...built, ...given, ...followed, ...pulled] : [];
    // A killed clean-up, or a later image of that name, may have taken its name.
    const secret = [...image.names, ...image.formerNames].some((name) => name.startsWith(ours) && isPrivateImage(name));
    if (names.length === 0 && !(secret && image.names.length === 0)) return [];
    return [{ id: image.id, names, remove: names.length === image.names.length && (secret || !isCache(image)) }];
  });
}

/** `true` for an image that any installation here built and that holds no secret. */
function isCache(image: ListedImage): boolean {
  return [...image.names, ...image.formerNames].some((name) => name.startsWith(BUILT));
}

/** Removes names, and images where so decided. Returns what was removed, in words. */
export async function unname(unnamings: readonly Unnaming[]): Promise<string[]> {
  const done: string[] = [];
  for (const { id, names, remove } of unnamings) {
    // Somebody else may have removed it, or still use the image.
    const options = { okExitCodes: [0, 1, 2, 125], cleanUp: true };
    // Without names `podman untag` would remove all.
    const untagged =
      names.length > 0 && (await podman('podman untag', ['untag', id, ...names], options)).exitCode === 0;
    if (untagged) done.push(...names.map((name) => `name ${name}`));
    if (remove && (await removeImage(id, ['--no-prune']))) done.push(`image ${id.slice(0, 12)}`);
  }
  return done;
}

/**
 * Removes an image and, without `--no-prune`, the nameless images that it was built on. `false` when it is in use.
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
