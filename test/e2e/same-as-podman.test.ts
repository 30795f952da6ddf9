/**
 * What is published is what podman builds of the same directory: released by the real activities, and compared file by
 * file.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendContext } from '../../activities/context/context-artifact.ts';
import { packContext } from '../../activities/context/pack.ts';
import { claimLease } from '../../activities/host/leases.ts';
import { offeredOn } from '../../activities/index.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import type { BuildInput, BuildResult } from '../../model/contract/build.ts';
import { releaseId } from '../../model/oci/reference.ts';
import { imageInputsDigest } from '../../model/release/inputs.ts';
import type { PinnedImage } from '../../model/release/record.ts';
import { timingWith } from '../../model/base/timing.ts';
import { runActivity } from '../support/activity.ts';
import { CONTEXT, IMAGES, REFUSED, STAGES } from '../support/containerfiles.ts';
import { temporaryHost } from '../support/host.ts';
import { configurationOf, openStorage, treeDifference, treeOf } from '../support/image-difference.ts';
import { startOwnRegistry, type OwnRegistry } from '../support/own-registry.ts';
import { buildSmallImage } from '../support/small-image.ts';
import { usePrivateContainersConf } from '../support/tools.ts';

const timing = timingWith();
const TAG = 'v1';
const PROGRAMS = ['sh', 'bash', 'cat', 'chmod', 'cp', 'env', 'ln', 'ls', 'mkdir', 'rm', 'touch', 'true'];
/** Seconds since 1970 that the files of contexts have, a fraction of a second included. */
const FILE_TIME = 1_700_000_000.5;
/** Stages in an image. */
const BATCH = 13;

let registry: OwnRegistry;
let restore: () => Promise<void>;
let host: Awaited<ReturnType<typeof temporaryHost>>;
let storage: Awaited<ReturnType<typeof openStorage>>;
let base: PinnedImage;
let other: PinnedImage;
let since: number;
const images: string[] = [];

beforeAll(async () => {
  restore = await usePrivateContainersConf();
  registry = await startOwnRegistry();
  host = await temporaryHost({ limits: { build: 20 } });
  storage = await openStorage();
  since = Math.floor(Date.now() / 1000) - 1;
  const programs = PROGRAMS.map((name) => `/bin/${name}`);
  const files = { 'etc/passwd': 'root:x:0:0::/:/bin/sh\n', 'etc/group': 'root:x:0:\n', 'tmp/.keep': '' };
  base = await publish(
    'base',
    await buildSmallImage(`localhost/flightline-test/same:${process.pid}`, { programs, files }),
  );
  const mark = { files: { 'other-file': 'of the other image\n' } };
  other = await publish('other', await buildSmallImage(`localhost/flightline-test/other:${process.pid}`, mark));
});
afterAll(async () => {
  await storage?.close();
  await execa('podman', ['rmi', '--force', ...images], { reject: false });
  await registry?.stop();
  await host?.remove();
  await restore?.();
});

/** Pushes an image, bootable, under a name, and takes it from the storage. */
async function publish(name: string, image: string): Promise<PinnedImage> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-base-'));
  try {
    await writeFile(join(directory, 'Containerfile'), `FROM ${image}\nLABEL containers.bootc=1\nENV PATH=/bin\n`);
    const { stdout: id } = await execa('podman', ['build', '--quiet', directory]);
    const reference = `${registry.address}/${name}:1`;
    const digestFile = join(directory, 'digest');
    await execa('podman', [
      'push',
      '--quiet',
      '--tls-verify=false',
      `--digestfile=${digestFile}`,
      id,
      `docker://${reference}`,
    ]);
    images.push(id, image);
    return { reference, digest: await readFile(digestFile, 'utf8') };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** A project: the shared context, with a Containerfile. */
async function project(containerfile: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-same-'));
  const named = (text: string) => text.replaceAll('@BASE@', base.reference).replaceAll('@OTHER@', other.reference);
  for (const [path, text] of Object.entries({ ...CONTEXT, Containerfile: named(containerfile) })) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    await utimes(file, FILE_TIME, FILE_TIME);
  }
  return directory;
}

/** Sends a project's context and grants the lease. */
async function prepare(directory: string, more: Partial<BuildInput> = {}): Promise<BuildInput> {
  const repository = `${registry.address}/os-${randomBytes(4).toString('hex')}`;
  const scratch = await mkdtemp(join(tmpdir(), 'flightline-layout-'));
  const sources = { directory, containerfile: join(directory, 'Containerfile'), builderConfig: null };
  const packed = await packContext(sources, scratch);
  await withUserAccess((access) => sendContext(access, `${repository}/context`, packed));
  await rm(scratch, { recursive: true });
  const release = releaseId(repository, TAG);
  const now = new Date().toISOString();
  const claim = {
    release,
    runId: 'run',
    branch: 'image',
    slot: 'build',
    space: 1,
    requestedAt: now,
    seenUntil: now,
  } as const;
  await claimLease(host, claim, timing, () => Promise.resolve({ free: 1e12, total: 1e12 }));
  // The other image is not foreseen: it is looked up when podman asks for it.
  const bases = [base];
  return {
    release,
    runId: 'run',
    repository,
    tag: TAG,
    context: { repository: `${repository}/context`, digest: packed.digest },
    imageInputs: imageInputsDigest({ files: packed.digest, bases, buildArgs: {}, architecture: 'amd64' }),
    bases,
    buildArgs: {},
    architecture: 'amd64',
    commit: null,
    source: null,
    pushTo: [repository],
    timing,
    ...more,
  };
}

/** Builds and pushes it, and cleans up. */
async function publishRelease(input: BuildInput): Promise<{ built: BuildResult; published: string }> {
  const identity = { release: input.release, runId: 'run' };
  try {
    const built = (await runActivity(offeredOn('build', host).build, input)).result;
    const push = { ...identity, repository: input.repository, imageId: built.imageId, timing };
    const { digest } = (await runActivity(offeredOn('transfer', host).push, push)).result;
    return { built, published: `${input.repository}@${digest}` };
  } finally {
    await runActivity(offeredOn('short', host).cleanUp, { ...identity, timing });
  }
}

/** What podman itself makes of the directory, without anything of an earlier build. */
async function plainBuild(directory: string, flags: readonly string[]): Promise<string> {
  const args = ['build', '--no-cache', '--force-rm', '--quiet', '--tls-verify=false', ...flags, '.'];
  const { stdout } = await execa('podman', args, { cwd: directory });
  const id = stdout.trim();
  images.push(id);
  return id;
}

/** Everything that a published image and podman's own differ in. */
async function difference(published: string, own: string, more: { below?: string } = {}): Promise<string[]> {
  await storage.podman('pull', '--quiet', '--tls-verify=false', published);
  const root = await storage.podman('image', 'mount', published);
  const { stdout: ownRoot } = await execa('podman', ['image', 'mount', own]);
  try {
    const trees = [await treeOf(root, since), await treeOf(ownRoot, since)] as const;
    if (more.below !== undefined) expect(trees[0].size).toBeGreaterThan(0);
    const { stdout: ownFacts } = await execa('podman', ['image', 'inspect', own]);
    const facts = [
      configurationOf(await storage.podman('image', 'inspect', published)),
      configurationOf(ownFacts),
    ] as const;
    const [one, another] = facts.map(
      (all) => new Map(Object.entries(all).map(([name, value]) => [name, JSON.stringify(value)])),
    );
    return [...treeDifference(...trees), ...treeDifference(one!, another!)];
  } finally {
    await execa('podman', ['image', 'unmount', own]);
  }
}

/** The differences between what is released of a Containerfile and what podman builds of it. */
async function compare(
  containerfile: string,
  more: Partial<BuildInput> = {},
  flags: readonly string[] = [],
): Promise<{ differences: string[]; built: BuildResult }> {
  const directory = await project(containerfile);
  try {
    const { built, published } = await publishRelease(await prepare(directory, more));
    return { built, differences: await difference(published, await plainBuild(directory, flags)) };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** One Containerfile of many: each becomes a stage, and what it has below `/t` a directory of the image. */
function batchOf(stages: readonly string[]): string {
  return [
    'FROM @BASE@ AS first\nCOPY a.txt /t/of-first',
    ...stages.map((text, index) => `FROM @BASE@ AS s${index}\n${text}`),
    // Nothing of another run is taken from podman's cache.
    `FROM scratch\nLABEL containers.bootc=1 run=${process.pid}.${since}`,
    // podman leaves out a stage that nothing names outright.
    'COPY --from=first /t /first',
    ...stages.map((_, index) => `COPY --from=s${index} /t /${index}`),
    '',
  ].join('\n');
}

describe('files are the same', () => {
  const stages = Object.entries(STAGES);
  const batches = Array.from({ length: Math.ceil(stages.length / BATCH) }, (_, at) =>
    stages.slice(at * BATCH, (at + 1) * BATCH),
  );
  it.each(batches.map((batch) => [batch.map(([name]) => name).join(', '), batch] as const))('%s', async (_, batch) => {
    const { differences, built } = await compare(batchOf(batch.map(([, text]) => text)));
    expect(differences).toEqual([]);
    expect(built.bases).toContainEqual(base);
  });
});

describe('the image is the same', () => {
  it.each(Object.entries(IMAGES))('%s', async (_, text) => {
    expect((await compare(text)).differences).toEqual([]);
  });
});

describe('keys of the spec are what the flags of podman build are', () => {
  it.each<[string, string, Partial<BuildInput>, string[]]>([
    ['target', 'FROM @BASE@ AS one\nENV A=1\nFROM @BASE@ AS two\nENV A=2', { target: 'one' }, ['--target=one']],
    ['labels', 'FROM @BASE@\nLABEL own=1', { labels: { a: 'b c' } }, ['--label=a=b c']],
    ['annotations', 'FROM @BASE@\nENV A=1', { annotations: { a: 'b c' } }, ['--annotation=a=b c']],
    ['buildArgs', 'FROM @BASE@\nARG A\nENV B=$A', { buildArgs: { A: '-x y' } }, ['--build-arg=A=-x y']],
  ])('%s', async (_, text, input, flags) => {
    const { differences } = await compare(text, input, flags);
    // What flags say of labels is one step, of which flightline's own are part.
    expect(differences.filter((line) => input.labels === undefined || !line.startsWith('history:'))).toEqual([]);
  });

  it('buildContexts', async () => {
    const image = `docker-image://${other.reference}`;
    const text = 'FROM @BASE@\nCOPY --from=tools /other-file /x';
    const flags = [`--build-context=tools=${image}`];
    const { differences, built } = await compare(text, { buildContexts: { tools: image } }, flags);
    expect(differences).toEqual([]);
    expect(built.bases).toContainEqual(other);
  });
});

describe("podman's refusal is told at once, in its own words", () => {
  it.each(Object.entries(REFUSED))('%s', async (_, text) => {
    const directory = await project(text);
    try {
      const own = await execa('podman', ['build', '--tls-verify=false', '.'], { cwd: directory, reject: false });
      expect(own.exitCode).not.toBe(0);
      const words = own.stderr.split('\n').findLast((line) => line.startsWith('Error: '))!;
      const input = await prepare(directory);
      const failure = await publishRelease(input).catch((error: unknown) => error as Error);
      expect(failure).toMatchObject({ type: 'containerfile', nonRetryable: true });
      expect((failure as Error).message).toContain(words.replaceAll(`${directory}/`, '').replaceAll(directory, '.'));
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
