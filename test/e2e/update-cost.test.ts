/**
 * What an update costs is what podman fetches on a host that has the release before, by the registry's access log. With
 * the real skopeo, podman and a registry of the test's own.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MockActivityEnvironment } from '@temporalio/testing';
import { offeredOn } from '../../activities/index.ts';
import type { Architecture } from '../../model/base/host.ts';
import { DEFAULT_TIMING } from '../../model/base/timing.ts';
import { ImageDiff } from '../../model/oci/image-diff.ts';
import { BuildOptions, compressionFlags } from '../../model/spec/build-options.ts';
import { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { generateKey } from '../../activities/tools/registry/skopeo.ts';
import { runFlightline } from '../support/flightline.ts';
import { startOwnRegistry, type OwnRegistry } from '../support/own-registry.ts';
import { digestOf } from '../support/registry.ts';
import { openStorage, type Storage } from '../support/storage.ts';
import { eventually } from '../support/wait.ts';

let directory: string;
let registry: OwnRegistry;
let configuration: WorkerConfiguration;
/** Where the images are built. */
let builder: Storage;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-update-cost-'));
  [registry, builder] = await Promise.all([startOwnRegistry(), openStorage()]);
  await writeFile(join(directory, 'passphrase'), 'a passphrase\n', { mode: 0o600 });
  await generateKey(join(directory, 'release'), join(directory, 'passphrase'));
  const key = {
    privateKey: join(directory, 'release.private'),
    publicKey: join(directory, 'release.pub'),
    passphraseFile: join(directory, 'passphrase'),
    repositories: [registry.address],
  };
  configuration = WorkerConfiguration.parse({ keys: { release: key } });
  await build('base', 'FROM scratch', { base: 3_000_000 });
  await build('v1', 'FROM base', { one: 400_000 });
  // The layer of the release before goes, two others come.
  await build('v2', 'FROM base', { two: 500_000, three: 30_000 });
});
afterAll(async () => {
  await Promise.all([registry?.stop(), builder?.close()]);
  await rm(directory, { recursive: true, force: true });
});

/** Builds an image with a layer for each file, of so many random bytes. */
async function build(
  name: string,
  from: string,
  files: Record<string, number>,
  flags: readonly string[] = [],
): Promise<void> {
  const context = join(directory, name);
  await mkdir(context);
  for (const [file, bytes] of Object.entries(files)) await writeFile(join(context, file), randomBytes(bytes));
  const steps = Object.keys(files).map((file) => `COPY ${file} /${file}`);
  await writeFile(join(context, 'Containerfile'), [from, ...steps, `LABEL version=${name}`, ''].join('\n'));
  await builder.podman('build', '--quiet', ...flags, '--tag', name, context);
}

async function push(name: string, reference: string, flags: readonly string[]): Promise<string> {
  await builder.podman('push', '--quiet', '--tls-verify=false', ...flags, `localhost/${name}`, `docker://${reference}`);
  return (await digestOf(reference))!;
}

/** What podman fetches to have an image on a host, in bytes of answers, but for the first, which names the API. */
async function pulled(device: Storage, repository: string, digest: string): Promise<number> {
  const since = (await readFile(registry.log, 'utf8')).length;
  await device.podman('pull', '--quiet', '--tls-verify=false', `${repository}@${digest}`);
  const path = repository.slice(registry.address.length);
  const line = new RegExp(`"GET /v2${path}/(?:manifests|blobs)/\\S+ HTTP/[\\d.]+" 20\\d (\\d+) .*containers/`, 'g');
  return eventually('the registry has written its log', async () => {
    const text = (await readFile(registry.log, 'utf8')).slice(since);
    const bytes = [...text.matchAll(line)].reduce((sum, [, size]) => sum + Number(size), 0);
    return text.endsWith('\n') && bytes > 0 ? bytes : undefined;
  });
}

/** What the verification of a digest tells of an update to it. */
async function costOf(
  repository: string,
  digest: string,
  from: string,
  architectures: readonly Architecture[] = ['amd64'],
) {
  const { sign, verify } = await offeredOn('sign', { configuration });
  const subject = {
    release: 'release/test:v2',
    runId: 'run',
    timing: DEFAULT_TIMING,
    key: 'release',
    repository,
    digest,
  };
  const run = <Input, Result>(activity: (input: Input) => Promise<Result>, input: Input): Promise<Result> =>
    new MockActivityEnvironment({}).run(activity, input);
  await run(sign, { ...subject, tags: ['v2'] });
  const since = (await readFile(registry.log, 'utf8')).length;
  const { updates } = await run(verify, {
    ...subject,
    tags: ['v2'],
    update: { from, architectures: [...architectures] },
  });
  const asked = (await readFile(registry.log, 'utf8')).slice(since).split('\n');
  return { updates, looks: asked.filter((line) => line.includes(`/manifests/${from} `)).length };
}

test.each([
  ['gzip', undefined],
  ['the best gzip', { format: 'gzip', level: 9 }],
  ['the best zstd', { format: 'zstd', level: 20 }],
  ['zstd:chunked', 'zstd:chunked'],
])('is what podman fetches, compressed by %s', async (name, compression) => {
  const flags = compressionFlags(BuildOptions.parse({ compression }));
  const repository = `${registry.address}/acme/${name.replaceAll(/[: ]/g, '-')}`;
  const before = await push('v1', `${repository}:nightly`, flags);
  const digest = await push('v2', `${repository}:candidate`, flags);
  const { updates, looks } = await costOf(repository, digest, 'nightly');
  expect(looks).toBe(1);
  expect(updates).toMatchObject([
    { platform: 'linux/amd64', from: `${repository}:nightly`, digest: before, layers: 2, of: 3 },
  ]);
  const [cost] = updates!;
  const device = await openStorage();
  try {
    await pulled(device, repository, before);
    const bytes = await pulled(device, repository, digest);
    expect(bytes).toBeGreaterThan(500_000);
    expect(Math.abs(cost!.bytes - bytes) / bytes).toBeLessThan(0.01);
  } finally {
    await device.close();
  }
  // The same image again costs nothing, and one that nobody has yet is compared with nothing.
  expect((await costOf(repository, digest, 'candidate')).updates).toMatchObject([{ bytes: 0, layers: 0, of: 3 }]);
  expect((await costOf(repository, digest, 'stable')).updates).toEqual([]);
});

test('is told for each platform for which the tag has an image', async () => {
  const repository = `${registry.address}/acme/platforms`;
  await build('arm', 'FROM scratch', { arm: 200_000 }, ['--platform=linux/arm64']);
  const arm = await push('arm', `${repository}:arm`, []);
  const before = await push('v1', `${repository}:one`, []);
  const list = 'localhost/both';
  await builder.podman('manifest', 'create', list, 'localhost/v2', 'localhost/arm');
  const pushing = ['manifest', 'push', '--quiet', '--all', '--tls-verify=false', list];
  await builder.podman(...pushing, `docker://${repository}:both`);
  const digest = (await digestOf(`${repository}:both`))!;
  const told = async (from: string) =>
    (await costOf(repository, digest, from, ['amd64', 'arm64'])).updates!.map(({ platform, layers }) => [
      platform,
      layers,
    ]);
  expect(arm).not.toBe(before);
  expect(await told('one')).toEqual([['linux/amd64', 2]]);
  expect(await told('arm')).toEqual([['linux/arm64', 0]]);
  expect(await told('both')).toEqual([
    ['linux/amd64', 0],
    ['linux/arm64', 0],
  ]);
});

test('is shown by flightline diff, with the layers that make it', async () => {
  const repository = `${registry.address}/acme/gzip`;
  const environment = {};
  const { stdout, stderr, exitCode } = await runFlightline(['diff', `${repository}:nightly`, 'candidate', '--json'], {
    environment,
  });
  expect(exitCode, stderr).toBe(0);
  const digest = (await digestOf(`${repository}:candidate`))!;
  const [cost] = (await costOf(repository, digest, 'nightly')).updates!;
  const { bytes, layers, of } = cost!;
  const diff = ImageDiff.parse(JSON.parse(stdout));
  expect(diff.platforms).toMatchObject([
    {
      platform: 'linux/amd64',
      to: digest,
      update: { bytes, layers, of },
      layers: {
        shared: 1,
        removed: [{ createdBy: expect.stringContaining('one') }],
        added: [{ createdBy: expect.stringContaining('two') }, { createdBy: expect.stringContaining('three') }],
      },
    },
  ]);
  const label = diff.platforms[0]!.configuration.find(({ key }) => key === 'Labels.version');
  expect(label).toMatchObject({ from: 'v1', to: 'v2' });
  const none = await runFlightline(['diff', `${repository}:nightly`, 'v9'], { environment });
  expect([none.exitCode, none.stderr]).toEqual([1, expect.stringContaining(`${repository}:v9 is not in the registry`)]);
});
