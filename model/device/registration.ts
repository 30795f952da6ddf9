/** Red Hat's registry, whose images need a log-in to pull and a registered host to build on (guide, "RHEL-based"). Pure. */
import type { PinnedImage } from '../release/record.ts';
import { registryOf } from '../oci/reference.ts';

/** The registry of RHEL's bootable base images. The one with images for everybody is `registry.access.redhat.com`. */
export const RED_HAT_REGISTRY = 'registry.redhat.io';

/** `true` for an image or repository of Red Hat's registry. */
export function isRedHat(reference: string): boolean {
  return registryOf(reference) === RED_HAT_REGISTRY;
}

/** `true` when one of the images gets its packages with the subscription of the host that builds on it. */
export function needsEntitlement(bases: readonly Pick<PinnedImage, 'reference'>[]): boolean {
  return bases.some(({ reference }) => isRedHat(reference));
}
