/** Building and pushing an image with the real podman and a real registry; no Temporal server is needed. */
import { offeredOn } from '../../activities/index.ts';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelledFailure } from '@temporalio/common';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sendContext } from '../../activities/context/context-artifact.ts';
import { packContext } from '../../activities/context/pack.ts';
import { claimLease } from '../../activities/host/leases.ts';
import { readLeaseFiles } from '../../activities/host/lease-files.ts';
import { processesWithArgument } from '../../activities/tools/process/processes.ts';
import { buildCgroup } from '../../activities/tools/process/cgroup.ts';
import { cgroupArgument } from '../../activities/tools/podman/build.ts';
import { podmanInfo } from '../../activities/tools/podman/podman.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import type { BuildInput } from '../../model/contract/build.ts';
import { imageInputsDigest } from '../../model/release/inputs.ts';
import type { PinnedImage } from '../../model/release/record.ts';
import { releaseId } from '../../model/oci/reference.ts';
import { timingWith } from '../../model/base/timing.ts';
import { runActivity, startActivity } from '../support/activity.ts';
import { temporaryHost } from '../support/host.ts';
import { startOwnRegistry, type OwnRegistry } from '../support/own-registry.ts';
import { buildSmallImage } from '../support/small-image.ts';
import { usePrivateContainersConf } from '../support/tools.ts';
import { eventually } from '../support/wait.ts';

const timing = timingWith();
const TAG = 'v1';
/** On the base, and inherited by everything that is built on it. */
const MARK = 'io.flightline.test';

let registry: OwnRegistry;
let restore: () => Promise<void>;
let small: string;
let base: PinnedImage;
beforeAll(async () => {
  restore = await usePrivateContainersConf();
  registry = await startOwnRegistry();
  small = await buildSmallImage(`localhost/flightline-test/build:${process.pid}`);
  base = await pushBase();
});
afterAll(async () => {
  if (small) await execa('podman', ['rmi', '--force', small], { reject: false });
  const filter = `label=${MARK}=${process.pid}`;
  // The steps that clean-up leaves as podman's cache, too: no other test builds on this base.
  const made = await execa('podman', ['images', '--all', '--quiet', '--no-trunc', '--filter', filter], { lines: true });
  if (made.stdout.length > 0) await execa('podman', ['rmi', '--force', ...made.stdout], { reject: false });
  await registry?.stop();
  await restore?.();
});

let host: Awaited<ReturnType<typeof temporaryHost>>;
let repository: string;
beforeEach(async () => {
  host = await temporaryHost({ builders: [`${registry.address}/base`] });
  repository = `${registry.address}/os-${randomBytes(4).toString('hex')}`;
});
afterEach(async () => {
  await runActivity((await offeredOn('short', host)).cleanUp, {
    release: releaseId(repository, TAG),
    runId: 'run',
    timing,
  });
  await host.remove();
});

/** A bootable base image in the registry; its other labels must not be inherited. */
async function pushBase(): Promise<PinnedImage> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-base-'));
  try {
    const inherited = 'org.opencontainers.image.created=long-ago org.opencontainers.image.revision=old';
    const labels = `containers.bootc=1 ${MARK}=${process.pid} ${inherited}`;
    await writeFile(join(directory, 'Containerfile'), `FROM ${small}\nLABEL ${labels}\n`);
    const { stdout } = await execa('podman', ['build', '--quiet', '--layers=false', directory]);
    const reference = `${registry.address}/base:1`;
    const digestFile = join(directory, 'digest');
    const push = ['push', '--quiet', '--tls-verify=false', `--digestfile=${digestFile}`, stdout.trim()];
    await execa('podman', [...push, `docker://${reference}`]);
    await execa('podman', ['rmi', '--force', stdout.trim()]);
    return { reference, digest: await readFile(digestFile, 'utf8') };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Sends a context, grants the lease, and says what the build is given. */
async function prepare(containerfile: string): Promise<BuildInput> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-project-'));
  try {
    const context = join(directory, 'context');
    for (const path of [context, join(directory, 'layout')]) await mkdir(path);
    await writeFile(join(context, 'Containerfile'), containerfile);
    const sources = { directory: context, containerfile: join(context, 'Containerfile'), builderConfig: null };
    const packed = await packContext(sources, join(directory, 'layout'));
    await withUserAccess((access) => sendContext(access, `${repository}/context`, packed));
    const release = releaseId(repository, TAG);
    const now = new Date().toISOString();
    const claim = { release, runId: 'run', branch: 'image', slot: 'build', space: 1, requestedAt: now, seenUntil: now };
    const space = () => Promise.resolve({ free: 1e12, total: 1e12 });
    await claimLease(host, { ...claim, slot: 'build' }, timing, space);
    return {
      release,
      runId: 'run',
      repository,
      tag: TAG,
      context: { repository: `${repository}/context`, digest: packed.digest },
      imageInputs: imageInputsDigest({ files: packed.digest, bases: [base], buildArgs: {}, architecture: 'amd64' }),
      bases: [base],
      buildArgs: {},
      architecture: 'amd64',
      commit: null,
      source: 'https://example.org/os',
      pushTo: [repository],
      timing,
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function slotOf(input: BuildInput): Promise<string | null | undefined> {
  return (await readLeaseFiles(host)).leases.find((lease) => lease.release === input.release)?.slot;
}

describe('build and push', () => {
  it('makes an image by digest, adopts it, and pushes it without a tag', async () => {
    const input = await prepare(`FROM ${base.reference}\nRUN ["/bin/sleep", "0"]\n`);
    const first = await runActivity((await offeredOn('build', host)).build, input);
    expect(first.result).toMatchObject({ adopted: false, host: host.name, attempts: 1 });
    expect(await slotOf(input)).toBeNull();
    const { stdout } = await execa('podman', [
      'image',
      'inspect',
      '--format',
      '{{json .Labels}}',
      first.result.imageId,
    ]);
    const labels = JSON.parse(stdout) as Record<string, string>;
    expect(labels).toMatchObject({
      'containers.bootc': '1',
      'io.flightline.inputs': input.imageInputs,
      'org.opencontainers.image.version': TAG,
      'org.opencontainers.image.source': input.source,
      'org.opencontainers.image.base.name': base.reference,
      'org.opencontainers.image.base.digest': base.digest,
    });
    expect(Object.keys(labels)).not.toContain('org.opencontainers.image.created');
    expect(Object.keys(labels)).not.toContain('org.opencontainers.image.revision');
    expect(stdout).not.toContain(host.work.installation);

    const second = await runActivity((await offeredOn('build', host)).build, input);
    expect(second.result).toMatchObject({ adopted: true, imageId: first.result.imageId });

    const push = { release: input.release, runId: 'run', repository, imageId: first.result.imageId, timing };
    const { digest } = (await runActivity((await offeredOn('transfer', host)).push, push)).result;
    expect((await runActivity((await offeredOn('transfer', host)).push, push)).result.digest).toBe(digest);
    await withUserAccess(async (access) =>
      expect(await access.repository(repository).headManifest(digest)).toBe(digest),
    );
    const path = `http://${registry.address}/v2/${repository.slice(registry.address.length + 1)}`;
    // A repository without any tag is none in this registry's list.
    expect((await fetch(`${path}/tags/list`)).status).toBe(404);
  });

  it('pulls the builder meanwhile, and does not fail when that cannot be had', async () => {
    const containerfile = `FROM scratch\nLABEL containers.bootc=1 ${MARK}=${process.pid}\nCOPY Containerfile /\n`;
    // Nothing but the builder comes from the registry.
    const plain = { ...(await prepare(containerfile)), bases: [] };
    const name = `${registry.address}/base@${base.digest}`;
    await execa('podman', ['rmi', '--force', name], { reject: false });
    const gone = { reference: base.reference, digest: `sha256:${'0'.repeat(64)}` };
    expect(
      (await runActivity((await offeredOn('build', host)).build, { ...plain, builder: gone })).result.imageId,
    ).toMatch(/^[0-9a-f]{64}$/);
    expect((await execa('podman', ['image', 'exists', name], { reject: false })).exitCode).toBe(1);
    await runActivity((await offeredOn('build', host)).build, { ...plain, builder: base });
    expect((await execa('podman', ['image', 'exists', name], { reject: false })).exitCode).toBe(0);
  });

  it('fails at once with the last lines of a RUN that fails', async () => {
    const input = await prepare(`FROM ${base.reference}\nRUN ["/bin/sleep", "nonsense"]\n`);
    await expect(runActivity((await offeredOn('build', host)).build, input)).rejects.toMatchObject({
      type: 'containerfile',
      nonRetryable: true,
      message: expect.stringMatching(/invalid time interval[^]*while running runtime: exit status 1/) as string,
    });
  });

  it('refuses to work without a lease', async () => {
    const input = await prepare(`FROM ${base.reference}\n`);
    await runActivity((await offeredOn('short', host)).cleanUp, { release: input.release, runId: 'run', timing });
    await expect(runActivity((await offeredOn('build', host)).build, input)).rejects.toMatchObject({ type: 'no-slot' });
  });

  it('leaves nothing mounted when podman is killed, and empties nothing that was', async () => {
    const seconds = `600.${randomBytes(3).readUIntBE(0, 3)}`;
    const mounts = '--mount=type=bind,source=Containerfile,target=/m --mount=type=cache,target=/c';
    const input = await prepare(`FROM ${base.reference}\nRUN ${mounts} ["/bin/sleep", "${seconds}"]\n`);
    const { cgroupManager } = await podmanInfo();
    const argument = cgroupArgument(buildCgroup(cgroupManager, host.work.installation, input.release));
    const ended = startActivity((await offeredOn('build', host)).build, input).result.catch((error: unknown) => error);
    await eventually('the RUN runs', async () =>
      (await processesWithArgument(seconds)).length > 0 ? true : undefined,
    );
    const mounted = async () => (await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${host.work.path}/`);
    expect(await mounted()).toBe(true);
    const [cache] = (await readdir(host.work.caches, { recursive: true, withFileTypes: true })).slice(-1);
    const kept = join(cache!.parentPath, cache!.name, 'kept');
    await writeFile(kept, 'of an earlier build');
    for (const pid of await processesWithArgument(argument)) process.kill(pid, 'SIGKILL');
    expect(await ended).toMatchObject({ type: 'worker-restarted' });
    await runActivity((await offeredOn('short', host)).cleanUp, { release: input.release, runId: 'run', timing });
    expect(await mounted()).toBe(false);
    expect(await readFile(kept, 'utf8')).toBe('of an earlier build');
    expect(await processesWithArgument(seconds)).toEqual([]);
  });

  it.each(['requested', 'detach'] as const)('ends whole when it is cancelled (%s)', async (reason) => {
    // The number tells this step from all others, also in podman's cache.
    const seconds = `600.${randomBytes(3).readUIntBE(0, 3)}`;
    const input = await prepare(`FROM ${base.reference}\nRUN ["/bin/sleep", "${seconds}"]\n`);
    const { cgroupManager } = await podmanInfo();
    const argument = cgroupArgument(buildCgroup(cgroupManager, host.work.installation, input.release));
    const running = startActivity((await offeredOn('build', host)).build, input);
    const ended = running.result.catch((error: unknown) => error);
    await eventually('the RUN runs', async () =>
      (await processesWithArgument(seconds)).length > 0 ? true : undefined,
    );
    expect(await processesWithArgument(argument)).toHaveLength(1);
    running.cancel(reason);
    expect(await ended).toBeInstanceOf(CancelledFailure);
    expect(await processesWithArgument(seconds)).toEqual([]);
    expect(await processesWithArgument(argument)).toEqual([]);
    const { stdout } = await execa('podman', ['ps', '--all', '--external', '--format', 'json']);
    expect(stdout).not.toContain(base.digest);
    // Whoever comes back finds the slot; who was told to stop does not need it.
    expect(await slotOf(input)).toBe(reason === 'detach' ? 'build' : null);
  });
});
