/** How much room a branch is expected to need on a host. Estimates: a claim is refused by them, nothing else depends on them. */

const GIB = 1024 ** 3;

/** Bytes for `podman build`: bases, layers and the image, whose sizes are not known before. */
export const BUILD_SPACE = 4 * GIB;

/**
 * Bytes for a builder run: the image in the host's storage, the builder's own tree of it, a file for each type as built, and
 * one more for publishing (the largest is compressed or put into a layer at a time).
 */
export function builderRunSpace(imageSize: number, types: readonly string[]): number {
  return GIB + imageSize * (types.length + 3);
}
