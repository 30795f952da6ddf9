/** What a new project can be: the values of `flightline init`'s flags. */

/** Where devices run (guide, "Considerations for Specific Target Platforms"). */
export const TARGETS = ['bare-metal', 'openshift-virtualization', 'vsphere'] as const;
export type Target = (typeof TARGETS)[number];

/** What the image is built on. */
export const BASES = ['centos-stream9', 'rhel9', 'debian-example'] as const;
export type Base = (typeof BASES)[number];

/** When a device learns where to enroll (guide, "Choosing an Enrollment Method"). */
export const BINDINGS = ['early', 'late'] as const;
export type Binding = (typeof BINDINGS)[number];

/** A project, with everything chosen. */
export interface Choices {
  target: Target;
  base: Base;
  binding: Binding;
  podmanCompose: boolean;
  /** Where the OS image is published. */
  repository: string;
  /** The image in FROM. */
  baseImage: string;
  /** null for bootc-image-builder. */
  builderImage: string | null;
}

/** The guide's images, by base. */
const IMAGES: Partial<Record<Base, string>> = {
  'centos-stream9': 'quay.io/centos-bootc/centos-bootc:stream9',
  rhel9: 'registry.redhat.io/rhel9/rhel-bootc:9.5',
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
