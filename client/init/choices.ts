/** What a new project can be: the values of `flightline init`'s flags. */

/** Where devices run (guide, "Considerations for Specific Target Platforms"). */
export const TARGETS = ['bare-metal', 'openshift-virtualization', 'vsphere'] as const;
export type Target = (typeof TARGETS)[number];

/** What the image is built on. */
export const BASES = ['centos-stream9', 'centos-stream10', 'rhel9', 'rhel10', 'fedora', 'debian-example'] as const;
export type Base = (typeof BASES)[number];

/** When a device learns where to enroll (guide, "Choosing an Enrollment Method"). */
export const BINDINGS = ['early', 'late'] as const;
export type Binding = (typeof BINDINGS)[number];

/** `true` for the bases that need a registered build host and a login to Red Hat's registry. */
export function isRhel(base: Base): boolean {
  return base === 'rhel9' || base === 'rhel10';
}

/** Who may log in to a device by SSH from its first boot on. */
export interface FirstUser {
  name: string;
  /** A line as `authorized_keys` has it. */
  key: string;
}

/** A project, with everything chosen. */
export interface Choices {
  target: Target;
  base: Base;
  binding: Binding;
  podmanCompose: boolean;
  /** Put into the disks by the builder; null for nobody. */
  user: FirstUser | null;
  /** Where the OS image is published. */
  repository: string;
  /** The image in FROM. */
  baseImage: string;
  /** null for bootc-image-builder. */
  builderImage: string | null;
}

/** The guide's images, by base; for Fedora, which it names and has no listing for, the newest. */
const IMAGES: Partial<Record<Base, string>> = {
  'centos-stream9': 'quay.io/centos-bootc/centos-bootc:stream9',
  'centos-stream10': 'quay.io/centos-bootc/centos-bootc:stream10',
  rhel9: 'registry.redhat.io/rhel9/rhel-bootc:9.5',
  rhel10: 'registry.redhat.io/rhel10/rhel-bootc:10.0',
  fedora: 'quay.io/fedora/fedora-bootc:43',
};

/** The images that choices lead to: `flightline up` puts those of the Debian example into its own registry. */
export function imagesFor(
  base: Base,
  registry: string,
  given: { baseImage?: string | undefined; builderImage?: string | undefined },
): Pick<Choices, 'baseImage' | 'builderImage'> {
  const example = base === 'debian-example';
  return {
    baseImage: given.baseImage ?? IMAGES[base] ?? `${registry}/flightline/debian-base:trixie`,
    builderImage: given.builderImage ?? (example ? `${registry}/flightline/debian-builder:1` : null),
  };
}
