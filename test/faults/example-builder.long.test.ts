/** The example builder, run as a person runs it: what it says of its stages, and what it writes where. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { builderDriver } from '../../activities/tools/builder/drivers.ts';
import { NO_PROGRESS, withTotal } from '../../activities/tools/builder/progress.ts';
import type { DiskType } from '../../model/spec/disk.ts';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import { podman as podmanOf } from '../support/host-state.ts';

const IMAGE = 'localhost/test/linked:1';
const EXAMPLES = join(import.meta.dirname, '../../examples');
const BUILDER = EXAMPLE_IMAGES.builder.local;
/** Where the root file system begins on its disks: after 1 MiB and the boot partition. */
const ROOT = 513 * 2 ** 20;
const podman = (...args: string[]) => podmanOf({ environment: {} }, args);
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-example-builder-'));
  await mkdir(join(directory, 'root/etc/elsewhere'), { recursive: true });
  await symlink('/etc/elsewhere/table', join(directory, 'root/etc/fstab'));
  await symlink('../../../../../../../../etc/elsewhere/id', join(directory, 'root/etc/machine-id'));
  await writeFile(join(directory, 'Containerfile'), `FROM ${EXAMPLE_IMAGES.base.local}\nCOPY root /\n`);
  await podman('build', '--quiet', '--layers=false', '--pull=never', '--tag', IMAGE, directory);
});
afterAll(async () => {
  await podman('rmi', '--force', '--ignore', IMAGE);
  await rm(directory, { recursive: true, force: true });
});

/** Runs it to its end, and keeps its container. Returns its lines and its manifest. */
async function build(
  name: string,
  types: readonly DiskType[],
  image = IMAGE,
): Promise<{ lines: string[]; manifest: string }> {
  const output = join(directory, name);
  const flags = ['--privileged', '--security-opt=label=type:unconfined_t', '--pull=never', `--name=${name}`];
  const volumes = [`--volume=${output}:/output`, '--volume=/var/lib/containers/storage:/var/lib/containers/storage'];
  await mkdir(output);
  const command = ['build', '--progress=verbose', ...types.map((type) => `--type=${type}`), image];
  const said = await podman('run', ...flags, ...volumes, BUILDER, ...command);
  const manifest = await readFile(join(output, `manifest-${types.join('-')}.json`), 'utf8');
  return { lines: said.split('\n'), manifest };
}

it.each<[DiskType[]]>([[['qcow2']], [['raw']], [['qcow2', 'vmdk']], [['iso']]])(
  'counts as many stages for %j as are run',
  async (types) => {
    const name = `flightline-test-${types.join('-')}`;
    try {
      const { lines, manifest } = await build(name, types);
      const { advance, count } = builderDriver('bootc-image-builder').progress;
      const total = count(manifest, types)!;
      const isStage = (line: string) => /^org\.osbuild\.\S+: [0-9a-f]{64} /.test(line);
      expect(lines.filter(isStage)).toHaveLength(total);
      let progress = withTotal(NO_PROGRESS, total);
      const shares = lines.map((line) => {
        progress = advance(progress, line);
        return (100 * progress.done) / total;
      });
      expect(shares).toEqual(shares.toSorted((left, right) => left - right));
      expect(shares.at(-1)).toBe(100);
      const pipelines = (JSON.parse(manifest) as { pipelines: { name: string }[] }).pipelines.map((one) => one.name);
      if (!types.includes('iso')) expect(pipelines).toEqual(expect.arrayContaining(['vpc', 'ovf', 'archive', 'gce']));
    } finally {
      await podman('rm', '--force', '--volumes', name);
    }
  },
);

it('makes an iso that boots live', async () => {
  const name = 'flightline-test-live';
  try {
    await build(name, ['iso'], EXAMPLE_IMAGES.base.local);
    const iso = join(directory, name, 'bootiso/install.iso');
    const boot = await execa(join(EXAMPLES, 'debian/boot.sh'), [iso, '--iso', '--timeout', '280'], {
      reject: false,
      all: true,
    });
    expect(boot.exitCode, boot.all).toBe(0);
  } finally {
    await podman('rm', '--force', '--volumes', name);
  }
});

it('writes into the image, and not into its own root, where a link of the image is absolute', async () => {
  const name = 'flightline-test-links';
  try {
    await build(name, ['raw']);
    const changed = (await podman('diff', name)).split('\n').map((line) => line.slice(2));
    expect(changed.filter((path) => path.startsWith('/etc') && path !== '/etc')).toEqual([]);
    const disk = `--volume=${join(directory, name, 'image')}:/disk`;
    const read = async (path: string) => {
      const command = ['debugfs', '-R', `cat ${path}`, `/disk/disk.raw?offset=${ROOT}`];
      return podman('run', '--rm', '--pull=never', disk, '--entrypoint', command[0]!, BUILDER, ...command.slice(1));
    };
    expect(await read('/etc/elsewhere/table')).toMatch(/^UUID=\S+ \/ ext4 /);
    expect(await read('/etc/elsewhere/id')).toBe('');
  } finally {
    await podman('rm', '--force', '--volumes', name);
  }
});
