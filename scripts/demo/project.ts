/** Makes the demo's copy of an example: for the stack's registry, with its own tag. */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { registryOf } from '../../model/oci/reference.ts';
import { SBOM_FORMATS } from '../../model/oci/sbom.ts';

/** The tag of a demo: `demo-YYYYMMDD-HHMMSS` in UTC. */
export function demoTag(at: Date): string {
  const [day, time] = at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').split('T');
  return `demo-${day}-${time}`;
}

/** What is put into the copy. */
export interface DemoValues {
  /** The stack's registry. */
  registry: string;
  tag: string;
  /** Whether Syft can list what is in the image. */
  sbom: boolean;
  /** The published image of examples/gate/setuid; null where the example has none. */
  gate: string | null;
}

/** What examples/gate/setuid lets pass in the example's base: Debian's own. */
const ALLOWED = [
  ...['chage', 'chfn', 'chsh', 'expiry', 'gpasswd', 'mount', 'newgrp', 'passwd', 'su', 'umount'].map(
    (name) => `usr/bin/${name}`,
  ),
  'usr/sbin/unix_chkpwd',
  'usr/lib/dbus-1.0/dbus-daemon-launch-helper',
  'var/cache/apt/archives/partial',
  'var/lib/apt/lists/partial',
];

/**
 * The example's spec with the stack's registry in place of its own, wherever that is named, with the demo's tag, and
 * with a gate and all the evidence that can be had here. Comments stay: it is what the user will look at.
 */
export function demoSpec(text: string, { registry, tag, sbom, gate }: DemoValues): string {
  const own = registryOfSpec(text);
  const document = parseDocument(own === undefined ? text : text.replaceAll(`${own}/`, `${registry}/`));
  document.setIn(['image', 'tag'], tag);
  document.set('provenance', true);
  if (sbom) document.setIn(['image', 'sbom'], SBOM_FORMATS);
  if (gate !== null) document.set('gates', [{ name: 'setuid', image: gate, arguments: ALLOWED }]);
  return document.toString({ lineWidth: 0 });
}

/** The registry of an example's `image.repository`. */
export function registryOfSpec(text: string): string | undefined {
  const repository = parseDocument(text).getIn(['image', 'repository']);
  return typeof repository === 'string' && repository.includes('/') ? registryOf(repository) : undefined;
}

/**
 * Copies an example and adapts its spec and Containerfile.
 *
 * @returns the path of the copy's spec.
 */
export async function writeDemoProject(example: string, directory: string, values: DemoValues): Promise<string> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await cp(example, directory, { recursive: true });
  const spec = join(directory, 'flightline.yaml');
  const text = await readFile(spec, 'utf8');
  await writeFile(spec, demoSpec(text, values));
  const own = registryOfSpec(text);
  const containerfile = join(directory, 'Containerfile');
  if (own !== undefined) {
    const lines = await readFile(containerfile, 'utf8');
    await writeFile(containerfile, lines.replaceAll(`${own}/`, `${values.registry}/`));
  }
  return spec;
}
