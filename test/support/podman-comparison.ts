/** Releases Containerfiles by the real activities, and compares what is published with what podman itself builds. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { sendContext } from '../../activities/context/context-artifact.ts';
import { packContext } from '../../activities/context/pack.ts';
import { claimLease } from '../../activities/host/leases.ts';
import { offeredOn } from '../../activities/index.ts';
import type { HostContext } from '../../activities/host/work-directory.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { timingWith } from '../../model/base/timing.ts';
import type { BuildInput, BuildResult } from '../../model/contract/build.ts';
import { releaseId } from '../../model/oci/reference.ts';
import { imageInputsDigest } from '../../model/release/inputs.ts';
import { contextDirectories } from '../../model/spec/build-options.ts';
import type { PinnedImage } from '../../model/release/record.ts';
import { runActivity } from './activity.ts';
import { CONTEXT } from './containerfiles.ts';
import { temporaryHost } from './host.ts';
import { differencesOf, type ImagePair } from './image-difference.ts';
import { startOwnRegistry } from './own-registry.ts';
import { buildSmallImage } from './small-image.ts';
import { openStorage, usePrivateStorage } from './storage.ts';
import { atMost, together } from './together.ts';
import { usePrivateContainersConf } from './tools.ts';

const TAG = 'v1';
const PROGRAMS = ['sh', 'bash', 'cat', 'chmod', 'cp', 'env', 'ln', 'ls', 'mkdir', 'rm', 'touch', 'true'];
/** Seconds since 1970 that the files of contexts have, a fraction of a second included. */
const FILE_TIME = 1_700_000_000.5;
/** Builds that run at the same time. */
const AT_A_TIME = 3;

/** A project beside the shared context. */
export interface ComparedProject {
  containerfile: string;
  /** Its path in the context; default `Containerfile`. */
  name?: string;
  /** More files by path. */
  files?: Readonly<Record<string, string>>;
  /** Makes what is not a text file, such as links and devices. */
  prepare?: (directory: string) => Promise<void>;
}

export interface PodmanComparison {
  /** A bootable image with a shell, in the registry. */
  base: PinnedImage;
  /** Another one, which the plan of a request does not list. */
  other: PinnedImage;
  registry: string;
  host: HostContext;
  /** Seconds since 1970 before anything was built. */
  since: number;
  /** Pushes a local image, made bootable, under a name. */
  publish: (name: string, image: string) => Promise<PinnedImage>;
  /** Writes a project; the caller removes the directory above it. `@BASE@`, `@OTHER@` and `@REGISTRY@` are replaced. */
  project: (project: ComparedProject | string) => Promise<string>;
  /** Sends a project's context and grants the lease. */
  prepare: (directory: string, more?: Partial<BuildInput>, name?: string) => Promise<BuildInput>;
  /** Builds and pushes it, and cleans up. `published` is a reference by digest. */
  release: (input: BuildInput) => Promise<{ built: BuildResult; published: string }>;
  /**
   * The differences between what is released of a project and what podman builds of it with these flags. Tests call it
   * side by side: the images are compared all at once.
   */
  compare: (
    project: ComparedProject | string,
    more?: Partial<BuildInput>,
    flags?: readonly string[],
  ) => Promise<{ differences: string[]; built: BuildResult }>;
  /** podman's error for a Containerfile (empty when it builds), and the failure of a release of it. */
  refusal: (containerfile: string) => Promise<{ own: string; failure: unknown }>;
  /** The texts of the files in a directory of a published image, by name. */
  files: (published: string, directory: string) => Promise<Map<string, string>>;
  close: () => Promise<void>;
}

/**
 * Starts a registry, a host and a storage for the published images, and publishes the base images.
 *
 * @param configuration of the host, by the registry's address
 */
export async function openComparison(
  configuration: (registry: string) => Parameters<typeof temporaryHost>[0] = () => ({}),
): Promise<PodmanComparison> {
  const timing = timingWith();
  const restore = await usePrivateContainersConf();
  const removeStorage = await usePrivateStorage();
  const registry = await startOwnRegistry();
  const host = await temporaryHost({ limits: { build: 20 }, ...configuration(registry.address) });
  const storage = await openStorage();
  const since = Math.floor(Date.now() / 1000) - 1;
  const inTurn = atMost(AT_A_TIME);
  const difference = together((pairs: readonly ImagePair[]) => differencesOf(storage, pairs, since));
  const programs = PROGRAMS.map((name) => `/bin/${name}`);
  const files = { 'etc/passwd': 'root:x:0:0::/:/bin/sh\n', 'etc/group': 'root:x:0:\n', 'tmp/.keep': '' };
  const base = await publish(
    'base',
    await buildSmallImage(`localhost/flightline-test/same:${process.pid}`, { programs, files }),
  );
  const mark = { files: { 'other-file': 'of the other image\n' } };
  const other = await publish('other', await buildSmallImage(`localhost/flightline-test/other:${process.pid}`, mark));
  return {
    base,
    other,
    registry: registry.address,
    host,
    since,
    publish,
    project,
    prepare,
    release,
    compare,
    refusal,
    files: filesOf,
    close,
  };

  async function publish(name: string, image: string): Promise<PinnedImage> {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-base-'));
    try {
      await writeFile(join(directory, 'Containerfile'), `FROM ${image}\nLABEL containers.bootc=1\nENV PATH=/bin\n`);
      const { stdout: id } = await execa('podman', ['build', '--quiet', directory]);
      const reference = `${registry.address}/${name}:1`;
      const digestFile = join(directory, 'digest');
      const push = ['push', '--quiet', '--tls-verify=false', `--digestfile=${digestFile}`, id];
      await execa('podman', [...push, `docker://${reference}`]);
      return { reference, digest: await readFile(digestFile, 'utf8') };
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  async function project(given: ComparedProject | string): Promise<string> {
    const { containerfile, name = 'Containerfile', files: more = {}, prepare: make } = asProject(given);
    const directory = join(await mkdtemp(join(tmpdir(), 'flightline-same-')), 'context');
    for (const [path, text] of Object.entries({ ...CONTEXT, ...more, [name]: containerfile })) {
      const file = join(directory, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, withReferences(text));
      await utimes(file, FILE_TIME, FILE_TIME);
    }
    await make?.(directory);
    return directory;
  }

  function withReferences(text: string): string {
    const names = { '@BASE@': base.reference, '@OTHER@': other.reference, '@REGISTRY@': registry.address };
    return Object.entries(names).reduce((written, [name, value]) => written.replaceAll(name, value), text);
  }

  /** Sends a project's context and grants the lease. */
  async function prepare(directory: string, more: Partial<BuildInput> = {}, name = 'Containerfile') {
    const repository = `${registry.address}/os-${randomBytes(4).toString('hex')}`;
    const scratch = await mkdtemp(join(tmpdir(), 'flightline-layout-'));
    const contexts = Object.entries(contextDirectories(more)).map(
      ([key, path]) => [key, join(directory, path)] as const,
    );
    const buildContexts = Object.fromEntries(contexts);
    const sources = { directory, containerfile: join(directory, name), builderConfig: null, buildContexts };
    const packed = await packContext(sources, scratch);
    await withUserAccess((access) => sendContext(access, `${repository}/context`, packed));
    await rm(scratch, { recursive: true });
    const id = releaseId(repository, TAG);
    const now = new Date().toISOString();
    const claim = { release: id, runId: 'run', branch: 'image', space: 1, requestedAt: now, seenUntil: now };
    const space = () => Promise.resolve({ free: 1e12, total: 1e12 });
    await claimLease(host, { ...claim, slot: 'build' }, timing, space);
    // The plan does not list the other image: it is looked up when podman asks for it.
    const bases = [base];
    return {
      release: id,
      runId: 'run',
      repository,
      tag: TAG,
      context: { repository: `${repository}/context`, digest: packed.digest },
      imageInputs: imageInputsDigest({ files: packed.digest, bases, buildArgs: {}, architecture: 'amd64' }),
      bases,
      buildArgs: {},
      architecture: 'amd64' as const,
      commit: null,
      source: null,
      pushTo: [repository],
      timing,
      ...more,
    };
  }

  /** Builds and pushes it, and cleans up. `published` is a reference by digest. */
  async function release(input: BuildInput): Promise<{ built: BuildResult; published: string }> {
    const identity = { release: input.release, runId: 'run' };
    try {
      const built = (await runActivity((await offeredOn('build', host)).build, input)).result;
      const push = { ...identity, repository: input.repository, imageId: built.imageId, timing };
      const { digest } = (await runActivity((await offeredOn('transfer', host)).push, push)).result;
      return { built, published: `${input.repository}@${digest}` };
    } finally {
      await runActivity((await offeredOn('short', host)).cleanUp, { ...identity, timing });
    }
  }

  async function compare(
    given: ComparedProject | string,
    more: Partial<BuildInput> = {},
    flags: readonly string[] = [],
  ): Promise<{ differences: string[]; built: BuildResult }> {
    const made = inTurn(async () => {
      const directory = await project(given);
      try {
        const { name = 'Containerfile' } = asProject(given);
        const { built, published } = await release(await prepare(directory, more, name));
        return { built, published, own: await ownBuild(directory, name, flags) };
      } finally {
        await rm(dirname(directory), { recursive: true });
      }
    });
    const differences = await difference(made);
    return { built: (await made).built, differences };
  }

  async function refusal(containerfile: string): Promise<{ own: string; failure: unknown }> {
    return inTurn(async () => {
      const directory = await project(containerfile);
      try {
        const own = await ownBuild(directory, 'Containerfile', []).then(
          () => '',
          (error: unknown) => String((error as { stderr?: string }).stderr),
        );
        const words = own.split('\n').findLast((line) => line.startsWith('Error: ')) ?? '';
        const failure = await release(await prepare(directory)).catch((error: unknown) => error);
        return { own: words.replaceAll(`${directory}/`, '').replaceAll(directory, '.'), failure };
      } finally {
        await rm(dirname(directory), { recursive: true });
      }
    });
  }

  /**
   * What podman itself makes of the directory, without anything of an earlier build. It works beside the published
   * images: a release gives and takes names of images in its host's storage, which podman may be about to use.
   */
  async function ownBuild(directory: string, name: string, flags: readonly string[]): Promise<string> {
    const args = ['build', '--no-cache', '--force-rm', '--quiet', '--tls-verify=false', `--file=${name}`];
    // podman keeps heredocs and caches there under names that simultaneous builds share.
    const temporary = await mkdtemp(join(tmpdir(), 'flightline-own-'));
    try {
      const options = { cwd: directory, env: { TMPDIR: temporary } };
      return (await execa('podman', [...storage.flags, ...args, ...flags, '.'], options)).stdout.trim();
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }

  async function filesOf(published: string, directory: string): Promise<Map<string, string>> {
    await storage.podman('pull', '--quiet', '--tls-verify=false', published);
    const place = join(await storage.podman('image', 'mount', published), directory);
    const found = (await readdir(place, { withFileTypes: true })).filter((entry) => entry.isFile());
    const texts = found.map(async ({ name }) => [name, await readFile(join(place, name), 'utf8')] as const);
    return new Map(await Promise.all(texts));
  }

  async function close(): Promise<void> {
    await storage.close();
    await registry.stop();
    await host.remove();
    await removeStorage();
    await restore();
  }
}

function asProject(given: ComparedProject | string): ComparedProject {
  return typeof given === 'string' ? { containerfile: given } : given;
}
