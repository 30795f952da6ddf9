/** The rpm and deb packages of an image, read from its bill of materials, and what differs between two. Pure. */
import { z } from 'zod';

/** A package as its manager names it. */
export interface Package {
  name: string;
  version: string;
  architecture: string | null;
}

/** Of SPDX 2 and CycloneDX, the parts that say which packages there are. */
const Listed = z.union([
  z
    .looseObject({
      spdxVersion: z.string(),
      packages: z.array(
        z.looseObject({
          name: z.string(),
          versionInfo: z.string().optional(),
          externalRefs: z.array(z.looseObject({ referenceLocator: z.string() })).optional(),
        }),
      ),
    })
    .transform(({ packages }) =>
      packages.map(({ name, versionInfo, externalRefs = [] }) => ({
        name,
        version: versionInfo,
        purl: externalRefs.map(({ referenceLocator }) => referenceLocator).find((text) => text.startsWith('pkg:')),
      })),
    ),
  z
    .looseObject({
      bomFormat: z.literal('CycloneDX'),
      components: z.array(
        z.looseObject({ name: z.string(), version: z.string().optional(), purl: z.string().optional() }),
      ),
    })
    .transform(({ components }) => components.map(({ name, version, purl }) => ({ name, version, purl }))),
]);

/** The packages of rpm and dpkg in a bill of materials; null when it cannot be read. */
export function packagesIn(bill: unknown): Package[] | null {
  const listed = Listed.safeParse(bill).data;
  if (!listed) return null;
  return listed.flatMap(({ name, version = '', purl = '' }) => {
    if (!/^pkg:(?:rpm|deb)\//.test(purl)) return [];
    return [{ name, version, architecture: /[?&]arch=([^&#]+)/.exec(purl)?.[1] ?? null }];
  });
}

const Named = z.object({ name: z.string(), version: z.string() });

export const PackageDiff = z.object({
  added: z.array(Named),
  removed: z.array(Named),
  changed: z.array(z.object({ name: z.string(), from: z.string(), to: z.string() })),
  /** Versions of the kernel; null where there is none. */
  kernel: z.object({ from: z.string().nullable(), to: z.string().nullable() }),
});
export type PackageDiff = z.infer<typeof PackageDiff>;

/** A package that may be there in several versions, as kernels are, is told by its versions. */
export function packageDiff(before: readonly Package[], next: readonly Package[]): PackageDiff {
  const [old, now] = [versionsOf(before), versionsOf(next)];
  const diff: PackageDiff = {
    added: [],
    removed: [],
    changed: [],
    kernel: { from: kernelOf(before), to: kernelOf(next) },
  };
  for (const key of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const gone = [...(old.get(key) ?? [])].filter((version) => !now.get(key)?.has(version));
    const come = [...(now.get(key) ?? [])].filter((version) => !old.get(key)?.has(version));
    const [from, to] = [gone[0], come[0]];
    if (gone.length === 1 && come.length === 1) diff.changed.push({ name: key, from: from!, to: to! });
    else {
      diff.removed.push(...gone.map((version) => ({ name: key, version })));
      diff.added.push(...come.map((version) => ({ name: key, version })));
    }
  }
  return diff;
}

/** Versions by name, with the architecture where a name is there for several. */
function versionsOf(packages: readonly Package[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { name, version, architecture } of packages) {
    const isShared = packages.some((one) => one.name === name && one.architecture !== architecture);
    const key = isShared && architecture !== null ? `${name}.${architecture}` : name;
    found.set(key, (found.get(key) ?? new Set()).add(version));
  }
  return found;
}

/** Of Fedora and RHEL, then of Debian: the meta package only says which one is current. */
const KERNELS = [/^kernel-core$/, /^kernel$/, /^linux-image-(?:unsigned-)?\d/, /^linux-image-/];

function kernelOf(packages: readonly Package[]): string | null {
  for (const pattern of KERNELS) {
    const versions = packages.filter(({ name }) => pattern.test(name)).map(({ version }) => version);
    if (versions.length > 0) return [...new Set(versions)].sort().join(', ');
  }
  return null;
}
