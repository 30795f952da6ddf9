/**
 * The example builder with a podman in its image, this machine's own: it looks at the image in a container of the
 * host's storage, as bootc-image-builder does.
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import { podman } from '../support/host-state.ts';

/** Makes it under a name. */
export async function makeInspectingBuilder(name: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-builder-'));
  try {
    for (const path of [...(await podmanFiles()), '/etc/containers/policy.json']) {
      const target = join(directory, 'root', path.replace(/^\/(?:lib|bin|sbin)\//, '/usr$&'));
      await mkdir(dirname(target), { recursive: true });
      await cp(path, target, { dereference: true });
    }
    await writeFile(join(directory, 'Containerfile'), `FROM ${EXAMPLE_IMAGES.builder.local}\nCOPY root /\n`);
    const build = ['build', '--quiet', '--layers=false', '--pull=never', '--tag', name, directory];
    await podman({ environment: {} }, build);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** podman, the programs that it starts, and their libraries but the C library, which the image has. */
async function podmanFiles(): Promise<string[]> {
  const format =
    '{{.Host.OCIRuntime.Path}} {{.Host.Conmon.Path}} {{.Host.NetworkBackendInfo.Package}} ' +
    '{{.Host.NetworkBackendInfo.Path}}';
  const told = (await podman({ environment: {} }, ['info', '--format', format])).split(' ');
  const programs = [(await execa('which', ['podman'])).stdout, ...told.filter((word) => word.startsWith('/'))];
  const { stdout } = await execa('ldd', programs, { reject: false });
  const libraries = [...stdout.matchAll(/=> (\/\S+)/g)].map(([, path]) => path!);
  return [...new Set([...programs, ...libraries.filter((path) => !/\/lib[cm]\.so/.test(path))])];
}
