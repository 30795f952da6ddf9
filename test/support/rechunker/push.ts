/**
 * What tries `image.rechunk` needs in a registry. The program is a stand-in with the command line of chunkah, which is
 * in no package registry; with FLIGHTLINE_CHUNKAH, the path of its binary, it is chunkah itself.
 */
import { createWriteStream } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { pack } from 'tar-stream';
import { tinyProgram } from '../../../activities/tools/podman/container/tiny-program.ts';
import { architectureOf } from '../../../model/base/host.ts';
import type { WorkerConfiguration } from '../../../model/spec/worker-configuration.ts';

/** Path of chunkah's binary; `undefined` where the stand-in takes its place. */
export const CHUNKAH = process.env['FLIGHTLINE_CHUNKAH'];
const REPOSITORY = 'test/chunkah';

/** Lets workers run the program of {@link pushRechunker}. */
export function allowRechunker(configuration: WorkerConfiguration): WorkerConfiguration {
  const registry = configuration.keys['release']!.repositories[0]!;
  return { ...configuration, rechunkers: [`${registry}/${REPOSITORY}`] };
}

/** Pushes the program. Returns what `image.rechunk` says of it. */
export async function pushRechunker(registry: string): Promise<{ image: string; tool: 'chunkah' }> {
  const image = `${registry}/${REPOSITORY}:1`;
  await inDirectory(async (directory) => {
    await copyFile(CHUNKAH ?? join(import.meta.dirname, 'chunkah'), join(directory, 'chunkah'));
    const lines = [
      `FROM ${registry}/flightline/debian-builder:1`,
      'COPY --chmod=755 chunkah /usr/bin/chunkah',
      'ENTRYPOINT ["/usr/bin/chunkah"]',
      '',
    ];
    await writeFile(join(directory, 'Containerfile'), lines.join('\n'));
    await push(['build', '--quiet', '--tls-verify=false', '--tag', image, directory], image);
  });
  return { image, tool: 'chunkah' };
}

/** A version of the base that {@link pushBase} makes: what it has as the others have it, and what is its own. */
export interface BaseVersion {
  version: string;
  stays: Buffer;
  changes: Buffer | string;
}

/** Pushes a base of one layer. Returns its name. */
export async function pushBase(registry: string, { version, stays, changes }: BaseVersion): Promise<string> {
  const image = `${registry}/test/rechunk-base:${version}`;
  await inDirectory(async (directory) => {
    const archive = join(directory, 'base.tar');
    const tar = pack();
    const mtime = new Date('2026-01-01T00:00:00Z');
    // Without them podman makes these at another time for each image, and they are in every layer.
    for (const name of ['bin', 'usr', 'usr/lib', 'usr/share']) tar.entry({ name, type: 'directory', mtime });
    tar.entry({ name: 'bin/sh', mode: 0o755, mtime }, tinyProgram(architectureOf(process.arch)!));
    // By these chunkah knows what belongs together, where there are no packages.
    const pax = (component: string) => ({ 'SCHILY.xattr.user.component': component });
    tar.entry({ name: 'usr/lib/stays', mtime, pax: pax('stays') }, stays);
    tar.entry({ name: 'usr/share/changes', mtime, pax: pax('changes') }, changes);
    tar.finalize();
    await pipeline(tar, createWriteStream(archive));
    await push(['import', '--quiet', '--change', 'LABEL containers.bootc=1', archive, image], image);
  });
  return image;
}

/** Has podman make an image, and pushes it. The machine does not keep it. */
async function push(make: readonly string[], image: string): Promise<void> {
  await execa('podman', make);
  await execa('podman', ['push', '--quiet', '--tls-verify=false', image]);
  await execa('podman', ['rmi', image]);
}

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-rechunk-'));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
