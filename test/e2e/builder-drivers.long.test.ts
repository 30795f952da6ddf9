/** Both command lines of the example builder pass the same tests. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe } from 'vitest';
import { BUILDER_DRIVERS } from '../../model/builder/builder-driver.ts';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import { podman } from '../support/host-state.ts';
import { testBuilderRuns } from './builder-runs.ts';

const base = EXAMPLE_IMAGES.base.local;

describe.each(BUILDER_DRIVERS)('the example builder as %s', (driver) => {
  testBuilderRuns(async () => ({ builder: await calledAs(driver), base, driver, installer: base, installed }));
});

/** By the kickstart in it. */
async function installed(iso: string): Promise<string> {
  const directory = dirname(iso);
  const flags = ['--rm', '--pull=never', `--volume=${directory}:/kept`, '--entrypoint=xorriso'];
  const extract = ['-osirrox', 'on', '-indev', iso.replace(directory, '/kept'), '-extract'];
  const files = ['/osbuild.ks', '/kept/osbuild.ks', '-extract', '/container', '/kept/container'];
  await podman({ environment: {} }, ['run', ...flags, EXAMPLE_IMAGES.builder.local, ...extract, ...files]);
  await readFile(join(directory, 'container/root.squashfs'));
  const text = await readFile(join(directory, 'osbuild.ks'), 'utf8');
  return /--transport registry (\S+)/.exec(text)![1]!;
}

/** The builder with a program of this name as its entry point. */
async function calledAs(name: string): Promise<string> {
  const image = `localhost/test/called-as-${name}:1`;
  const directory = await mkdtemp(join(tmpdir(), 'flightline-builder-'));
  try {
    const lines = [`FROM ${EXAMPLE_IMAGES.builder.local}`, `ENTRYPOINT ["/usr/bin/${name}"]`, ''];
    await writeFile(join(directory, 'Containerfile'), lines.join('\n'));
    await podman({ environment: {} }, [
      'build',
      '--quiet',
      '--layers=false',
      '--pull=never',
      '--tag',
      image,
      directory,
    ]);
    return image;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
