/** Clean-up and janitor with real containers and images; no Temporal server is needed. */
import { offeredOn } from '../../activities/index.ts';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sweep } from '../../activities/sweep/sweep.ts';
import { trimStorage } from '../../activities/sweep/trim-storage.ts';
import { claimLease, confirmLease, leasedKeys } from '../../activities/host/leases.ts';
import { readLeaseFiles } from '../../activities/host/lease-files.ts';
import { pullForRelease } from '../../activities/image/bases/pulled-images.ts';
import { builtImageName } from '../../activities/tools/podman/build.ts';
import { withRegistryAccess } from '../../activities/tools/registry/access.ts';
import { INSTALLATION_LABEL, RELEASE_LABEL } from '../../model/oci/labels.ts';
import { timingWith } from '../../model/base/timing.ts';
import { runActivity } from '../support/activity.ts';
import { temporaryHost } from '../support/host.ts';
import { startOwnRegistry, type OwnRegistry } from '../support/own-registry.ts';
import { digestOf } from '../support/registry.ts';
import { buildSmallImage } from '../support/small-image.ts';
import { usePrivateContainersConf } from '../support/tools.ts';

const podman = (...args: string[]) => execa('podman', args);
const lines = (text: string) => text.split('\n').filter((line) => line !== '');

let registry: OwnRegistry;
let restore: () => Promise<void>;
/** For containers that must run, whatever happens to other images. */
let baseImage: string;
beforeAll(async () => {
  restore = await usePrivateContainersConf();
  registry = await startOwnRegistry();
  baseImage = await buildSmallImage(`localhost/flightline-test/base:${process.pid}`);
});
afterAll(async () => {
  if (baseImage) await execa('podman', ['rmi', '--force', baseImage], { reject: false });
  await registry?.stop();
  await restore?.();
});

type Host = Awaited<ReturnType<typeof temporaryHost>>;
let host: Host;
let images: string[];
beforeEach(async () => {
  host = await temporaryHost({ limits: { build: 9, disk: 9 } });
  images = [];
});
afterEach(async () => {
  const all = await containersOf(host);
  if (all.length > 0) await execa('podman', ['rm', '--force', '--time', '0', ...all], { reject: false });
  for (const image of images) await execa('podman', ['rmi', '--force', image], { reject: false });
  await host.remove();
});

async function containersOf(one: Host): Promise<string[]> {
  const label = `label=${INSTALLATION_LABEL}=${one.work.installation}`;
  return lines((await podman('ps', '--all', '--filter', label, '--format', '{{.Names}}')).stdout);
}

async function namesOf(image: string): Promise<string[]> {
  const { stdout } = await podman('image', 'inspect', '--format', '{{json .NamesHistory}} {{json .RepoTags}}', image);
  return JSON.parse(stdout.slice(stdout.indexOf(' ') + 1)) as string[];
}

const anyRelease = () => `release/${registry.address}/os-${randomBytes(4).toString('hex')}:v1`;
const space = () => Promise.resolve({ free: 1e12, total: 1e12 });

/** Gives a release a lease, as a claim does, confirmed as by an activity. */
async function lease(release: string, branch: string): Promise<void> {
  const now = new Date();
  const claim = {
    release,
    runId: 'run',
    branch,
    slot: 'disk' as const,
    space: 1,
    requestedAt: now.toISOString(),
    seenUntil: new Date(now.getTime() + 1000).toISOString(),
  };
  await claimLease(host, claim, { leaseLifetime: 60_000 }, space);
  await confirmLease(host, release, branch);
}

/** Starts a container as a builder run does. Its program does not heed SIGTERM. */
async function container(release: string, installation = host.work.installation): Promise<string> {
  const name = `flightline-test-${randomBytes(4).toString('hex')}`;
  const labels = ['--label', `${INSTALLATION_LABEL}=${installation}`, '--label', `${RELEASE_LABEL}=${release}`];
  await podman('run', '--detach', '--name', name, '--network', 'none', ...labels, baseImage);
  return name;
}

/** What a release leaves on a host: image, container, files, lease. */
async function everything(release: string): Promise<{ image: string; digest: string; container: string }> {
  const built = builtImageName(host.work.installation, release, `sha256:${'a'.repeat(64)}`);
  const image = await buildSmallImage(built);
  images.push(image);
  const [repository] = release.replace('release/', '').split(/:v1$/) as [string];
  const digestFile = join(host.work.path, 'digest');
  const target = `docker://${repository}@@unknown-digest@@`;
  await podman('push', '--quiet', '--tls-verify=false', '--digestfile', digestFile, image, target);
  const digest = await readFile(digestFile, 'utf8');
  await podman('pull', '--quiet', '--tls-verify=false', `${repository}@${digest}`);
  await podman('tag', `${repository}@${digest}`, `${repository}:v1`);
  await lease(release, 'image');
  await lease(release, 'qcow2');
  await mkdir(join(host.work.release(release), 'output', 'qcow2'), { recursive: true });
  await writeFile(join(host.work.release(release), 'output', 'qcow2', 'disk.qcow2'), 'disk');
  await mkdir(host.work.releaseLogs(release), { recursive: true });
  await writeFile(join(host.work.releaseLogs(release), 'build.log'), 'log');
  return { image, digest: `${repository}@${digest}`, container: await container(release) };
}

describe('cleanUp', () => {
  const cleanUp = async (release: string) =>
    (
      await runActivity((await offeredOn('short', host)).cleanUp, {
        release,
        runId: 'run',
        timing: timingWith({ stopGrace: 1000 }),
      })
    ).result.removed;

  it('removes all that a release made, its lease last, and nothing else', async () => {
    const release = anyRelease();
    const other = anyRelease();
    const made = await everything(release);
    const stays = await container(other);
    const foreign = await container(release, 'another-installation');
    await lease(other, 'qcow2');
    await mkdir(host.work.release(other), { recursive: true });
    try {
      const removed = await cleanUp(release);
      const own = builtImageName(host.work.installation, release, `sha256:${'a'.repeat(64)}`);
      const name = release.replace('release/', '');
      expect(removed).toEqual([
        `container ${made.container}`,
        `name ${own}`,
        `name ${name}`,
        `name ${made.digest}`,
        'work directory',
        'lease image',
        'lease qcow2',
      ]);
      expect(await containersOf(host)).toEqual([stays]);
      expect(lines((await podman('ps', '--filter', `name=${foreign}`, '--format', '{{.Names}}')).stdout)).toEqual([
        foreign,
      ]);
      // The layers stay as cache.
      expect(await namesOf(made.image)).toEqual([]);
      expect((await readLeaseFiles(host)).leases.map((one) => one.release)).toEqual([other]);
      expect((await readdir(join(host.work.path, 'releases'))).length).toBe(1);
      expect(await readdir(host.work.releaseLogs(release))).toEqual(['build.log']);
      expect(await cleanUp(release)).toEqual([]);
    } finally {
      await execa('podman', ['rm', '--force', '--time', '0', foreign], { reject: false });
    }
  });

  it('gives a running container its grace, then ends it', async () => {
    const release = anyRelease();
    const name = await container(release);
    const began = Date.now();
    expect(await cleanUp(release)).toEqual([`container ${name}`]);
    expect(Date.now() - began).toBeGreaterThan(900);
  });

  it('removes a container whose conmon died', async () => {
    const release = anyRelease();
    const name = await container(release);
    const { stdout } = await podman('inspect', '--format', '{{.State.ConmonPid}} {{.State.Pid}}', name);
    const [conmon, init] = stdout.split(' ').map(Number) as [number, number];
    process.kill(conmon, 'SIGKILL');
    expect(await cleanUp(release)).toEqual([`container ${name}`]);
    expect(await containersOf(host)).toEqual([]);
    await expect(stat(`/proc/${init}`)).rejects.toThrow();
  });

  it('removes an image that was pulled here and not built, unless it has another name', async () => {
    const release = anyRelease();
    const repository = release.replace('release/', '').replace(/:v1$/, '');
    const image = await buildSmallImage(`localhost/flightline-test/pulled:${randomBytes(4).toString('hex')}`);
    images.push(image);
    const digestFile = join(host.work.path, 'digest');
    const target = `docker://${repository}@@unknown-digest@@`;
    await podman('push', '--quiet', '--tls-verify=false', '--digestfile', digestFile, image, target);
    const digest = `${repository}@${await readFile(digestFile, 'utf8')}`;
    const [theirs] = await namesOf(image);
    const pull = async () => {
      await podman('pull', '--quiet', '--tls-verify=false', digest);
      await podman('tag', digest, `${repository}:v1`);
    };
    await pull();
    expect(await cleanUp(release)).toEqual([`name ${repository}:v1`, `name ${digest}`]);
    expect(await namesOf(image)).toEqual([theirs]);
    await podman('rmi', image);
    await pull();
    expect(await cleanUp(release)).toEqual([
      `name ${repository}:v1`,
      `name ${digest}`,
      expect.stringMatching(/^image [0-9a-f]{12}$/) as string,
    ]);
  });

  it("leaves a person's own image of the release's name", async () => {
    const release = anyRelease();
    const image = await buildSmallImage(release.replace('release/', ''));
    images.push(image);
    expect(await cleanUp(release)).toEqual([]);
    expect(await namesOf(image)).toEqual([release.replace('release/', '')]);
  });
});

describe('the janitor', () => {
  it('cleans up after a closed release, and leaves an open one', async () => {
    const closed = anyRelease();
    const open = anyRelease();
    const gone = await everything(closed);
    const running = await everything(open);
    const asked: string[] = [];
    const removed = await sweep(host, (release) => {
      asked.push(release);
      return Promise.resolve(release === open);
    });
    expect(asked.sort()).toEqual([closed, open].sort());
    expect(removed).toContain(`container ${gone.container} of ${closed}`);
    expect(removed.filter((words) => words.includes(open))).toEqual([]);
    expect(await containersOf(host)).toEqual([running.container]);
    expect(await namesOf(gone.image)).toEqual([]);
    expect((await namesOf(running.image)).length).toBe(2);
    expect(new Set((await readLeaseFiles(host)).leases.map((one) => one.release))).toEqual(new Set([open]));
    expect(await sweep(host, () => Promise.resolve(true))).toEqual([]);
  });

  it('removes what an open release has left here when it moved to another host', async () => {
    const release = anyRelease();
    const { image } = await everything(release);
    for (const name of await readdir(host.work.leases)) await rm(join(host.work.leases, name));
    await sweep(host, () => Promise.resolve(true));
    expect(await containersOf(host)).toEqual([]);
    expect(await readdir(join(host.work.path, 'releases'))).toEqual([]);
    expect(await namesOf(image)).toEqual([]);
  });

  it('removes nothing of a leased release when the server cannot say whether it is open', async () => {
    const release = anyRelease();
    const name = await container(release);
    await lease(release, 'qcow2');
    await expect(sweep(host, () => Promise.reject(new Error('no server')))).rejects.toThrow('no server');
    expect(await containersOf(host)).toEqual([name]);
    expect((await readLeaseFiles(host)).leases).toHaveLength(1);
  });

  it('removes cached images, the oldest first, until there is space again', async () => {
    for (const letter of ['a', 'b', 'c']) {
      const name = builtImageName(host.work.installation, anyRelease(), `sha256:${letter.repeat(64)}`);
      images.push(await buildSmallImage(name));
      await podman('untag', name);
      // An image's age is told in seconds.
      await sleep(1100);
    }
    const left = async () => {
      const found = await Promise.all(images.map((id) => execa('podman', ['image', 'exists', id], { reject: false })));
      return found.map(({ exitCode }) => exitCode === 0);
    };
    const marks = { below: 0.1, until: 0.12 };
    expect(await trimStorage(host.work, new Set(), marks, () => Promise.resolve({ free: 10, total: 100 }))).toEqual([]);
    let asked = 0;
    const lowTwice = () => Promise.resolve({ free: (asked += 1) === 1 ? 9 : asked === 2 ? 11 : 13, total: 100 });
    const words = images.slice(0, 2).map((id) => `cached image ${id.replace('sha256:', '').slice(0, 12)}`);
    expect(await trimStorage(host.work, new Set(), marks, lowTwice)).toEqual(words);
    expect(await left()).toEqual([false, false, true]);
  });

  it(
    'removes what it pulled when no release needs it, but nothing that a person or another installation ' + 'has',
    async () => {
      const other = await temporaryHost();
      const repositories = ['mine', 'needed', 'shared', 'of-a-person'].map(
        (name) => `${registry.address}/pulled/${name}`,
      );
      const [mine, needed, shared, person] = repositories as [string, string, string, string];
      const digests = new Map<string, string>();
      for (const repository of repositories) {
        const id = await buildSmallImage(`localhost/flightline-test/pulled:${process.pid}`);
        await podman('push', '--quiet', '--tls-verify=false', id, `docker://${repository}:1`);
        digests.set(repository, (await digestOf(`${repository}:1`))!);
        await podman('rmi', '--force', id);
      }
      const nameOf = (repository: string) => `${repository}@${digests.get(repository)}`;
      const [dead, alive] = [anyRelease(), anyRelease()];
      const pull = (at: Host, release: string, repository: string) =>
        withRegistryAccess(at.configuration, [repository], (access) =>
          pullForRelease(at.work, release, access, { repository, digest: digests.get(repository)! }, timingWith()),
        );
      const exists = async (repository: string) =>
        (await execa('podman', ['image', 'exists', nameOf(repository)], { reject: false })).exitCode === 0;
      try {
        await podman('pull', '--quiet', '--tls-verify=false', nameOf(person));
        for (const repository of repositories) await pull(host, dead, repository);
        await pull(host, alive, needed);
        await pull(other, alive, shared);
        await lease(alive, 'image');
        const empty = () => Promise.resolve({ free: 1, total: 100 });
        const marks = { below: 0.2, until: 0.3 };
        const removed = await trimStorage(host.work, await leasedKeys(host), marks, empty);
        expect(removed).toEqual([expect.stringMatching(/^pulled image [0-9a-f]{12}$/)]);
        expect(await Promise.all([mine, needed, shared, person].map(exists))).toEqual([false, true, true, true]);
        // What was removed is pulled again, and is again its own.
        await pull(host, dead, mine);
        expect(await trimStorage(host.work, await leasedKeys(host), marks, empty)).toHaveLength(1);
      } finally {
        for (const repository of repositories) {
          const { stdout } = await execa('podman', ['image', 'inspect', '--format', '{{.Id}}', nameOf(repository)], {
            reject: false,
          });
          if (stdout) await execa('podman', ['rmi', '--force', stdout], { reject: false });
        }
        await other.remove();
      }
    },
  );

  it('removes old logs and caches, unfinished and damaged files, and what held logins', async () => {
    const directory = join(host.work.logs, '0123456789abcdef');
    await mkdir(directory);
    const old = new Date(Date.now() - 8 * 24 * 3600_000);
    for (const name of ['old.log', 'new.log']) await writeFile(join(directory, name), name);
    await utimes(join(directory, 'old.log'), old, old);
    await mkdir(join(host.work.logs, 'emptied'));
    await utimes(join(host.work.logs, 'emptied'), old, old);
    await mkdir(join(host.work.logs, 'begun'));
    await writeFile(join(host.work.leases, 'damaged-1.json'), '{');
    await writeFile(join(host.work.leases, 'half-1.json.0123'), '{');
    const left = await mkdtemp(join(tmpdir(), 'flightline-registry-'));
    const used = await mkdtemp(join(tmpdir(), 'flightline-registry-'));
    await utimes(left, old, old);
    const unused = new Date(Date.now() - 31 * 24 * 3600_000);
    for (const name of ['unused', 'used-lately']) {
      await mkdir(join(host.work.caches, name), { recursive: true });
      await writeFile(join(host.work.caches, name, 'file'), name);
    }
    await utimes(join(host.work.caches, 'unused'), unused, unused);
    await utimes(join(host.work.caches, 'used-lately'), old, old);
    try {
      const removed = await sweep(host, () => Promise.resolve(true));
      expect(removed).toEqual(
        expect.arrayContaining([
          `damaged file ${join(host.work.leases, 'damaged-1.json')}`,
          'unfinished file half-1.json.0123',
          `log ${join(directory, 'old.log')}`,
          `temporary directory ${left}`,
          `cache ${join(host.work.caches, 'unused')}`,
        ]),
      );
      expect(await readdir(host.work.caches)).toEqual(['used-lately']);
      expect((await readdir(host.work.logs)).sort()).toEqual(['0123456789abcdef', 'begun']);
      expect(await readdir(directory)).toEqual(['new.log']);
      expect((await stat(used)).isDirectory()).toBe(true);
      await expect(stat(left)).rejects.toThrow();
    } finally {
      await rm(used, { recursive: true, force: true });
      await rm(left, { recursive: true, force: true });
    }
  });
});
