/** Red Hat's registry: to pull an image takes a login, to build on it takes a registered host. Pure. */
import { registryOf } from './reference.ts';

/** The registry of RHEL's bootable base images. (`registry.access.redhat.com` needs no login.) */
export const RED_HAT_REGISTRY = 'registry.redhat.io';

/** `true` for an image or repository of Red Hat's registry. */
export function isRedHat(reference: string): boolean {
  return registryOf(reference) === RED_HAT_REGISTRY;
}

/** `true` when a build on one of the images needs the host's subscription to install packages. */
export function needsEntitlement(bases: readonly { reference: string }[]): boolean {
  return bases.some(({ reference }) => isRedHat(reference));
}
