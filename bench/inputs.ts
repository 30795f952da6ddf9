/** The input of both sides: examples/debian, and what a measurement adds. */
import { randomBytes } from 'node:crypto';
import { appendFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { SBOM_FORMATS } from '../model/oci/sbom.ts';
import type { DiskType } from '../model/spec/disk.ts';
import { ROOT } from '../test/support/flightline.ts';

/** A requested disk. */
export interface Wish {
  type: DiskType;
  publish?: 'container-disk';
}

/** Three disks, of which the qcow2 is a container disk. */
export const THREE_DISKS: readonly Wish[] = [
  { type: 'iso' },
  { type: 'qcow2', publish: 'container-disk' },
  { type: 'vmdk' },
];
export const ONE_DISK: readonly Wish[] = [{ type: 'qcow2' }];

/** Bytes of the file in the image's last layer. They do not compress. */
const LAST_LAYER = 8 * 1024 ** 2;

/** What a spec asks for besides. */
export interface SpecOptions {
  /** A release makes only what has changed. */
  whenChanged?: boolean;
  /** What is attested: provenance, and with `lists` bills of materials in both formats, too. */
  evidence?: 'provenance' | 'lists';
}

/** A copy of examples/debian for one pair of runs, which both sides use. */
export interface Inputs {
  directory: string;
  /** Image in FROM and builder. */
  base: string;
  builder: string;
  /** Changes the file of the last layer. */
  changeLastLayer(): Promise<void>;
  /** Writes a flightline.yaml, and returns its path. */
  spec(repository: string, tag: string, disks: readonly Wish[], more?: SpecOptions): Promise<string>;
  remove(): Promise<void>;
}

/** @param builderSeconds the least length of a run of the example builder, set by a label */
export async function makeInputs(registry: string, builderSeconds: number): Promise<Inputs> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-bench-inputs-'));
  const example = join(ROOT, 'examples/debian');
  for (const name of ['Containerfile', 'rootfs', 'config.toml']) {
    await cp(join(example, name), join(directory, name), { recursive: true });
  }
  await appendFile(
    join(directory, 'Containerfile'),
    `\nLABEL io.flightline.example.builder-seconds=${builderSeconds}\nCOPY payload /usr/share/payload\n`,
  );
  const base = `${registry}/flightline/debian-base:trixie`;
  const builder = `${registry}/flightline/debian-builder:1`;
  const changeLastLayer = () => writeFile(join(directory, 'payload'), randomBytes(LAST_LAYER));
  await changeLastLayer();
  return {
    directory,
    base,
    builder,
    changeLastLayer,
    spec: async (repository, tag, disks, { whenChanged = false, evidence } = {}) => {
      const file = join(directory, 'flightline.yaml');
      const text = stringify({
        name: 'bench',
        image: {
          repository,
          tag,
          ...(whenChanged && { tagPolicy: 'move' }),
          containerfile: 'Containerfile',
          buildArgs: { BASE: base },
          ...(evidence === 'lists' && { sbom: SBOM_FORMATS }),
        },
        ...(evidence && { provenance: true }),
        signing: { key: 'release' },
        disks,
        builder: { image: builder, rootfs: 'ext4', config: 'config.toml' },
        ...(whenChanged && { rebuild: 'when-changed' }),
      });
      // A file that is written again is another one: its time goes into the image.
      if ((await readFile(file, 'utf8').catch(() => '')) !== text) await writeFile(file, text);
      return file;
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
