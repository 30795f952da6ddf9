/**
 * Signing, verifying, tagging and the record, with the real skopeo and a registry of the test's own whose log is read.
 */
import { offeredOn } from '../../activities/index.ts';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openKey } from '../../activities/trust/keys.ts';
import { proveKeys } from '../../activities/trust/prove-signing.ts';
import { readRecord } from '../../activities/trust/record.ts';
import { signDigest, signedNames } from '../../activities/trust/signatures.ts';
import { sendArtifact } from '../../activities/tools/registry/send-artifact.ts';
import { digestFile, writeLayout } from '../../activities/tools/registry/oci-layout.ts';
import { withRegistryAccess, withUserAccess, RegistryAccess } from '../../activities/tools/registry/access.ts';
import { copyImage, generateKey } from '../../activities/tools/registry/skopeo.ts';
import { verifyAsDevice } from '../../activities/trust/verify.ts';
import type { Failure } from '../../model/failure/failure.ts';
import { sha256 } from '../../model/base/digest.ts';
import { blobArtifact, containerDisk, diskArtifact, type Layout } from '../../model/oci/manifest.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { signatureTag } from '../../model/oci/reference.ts';
import { DEFAULT_TIMING } from '../../model/base/timing.ts';
import { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { startFaultProxy, type Misfortune } from '../support/fault-proxy.ts';
import { LOGIN, startOwnRegistry, type OwnRegistry } from '../support/own-registry.ts';
import { manifestOf, storedManifests, tagsOf } from '../support/registry.ts';
import { eventually } from '../support/wait.ts';

const PASSPHRASE = 'a passphrase that no output may hold';
const identity = { release: 'release/test:v1', runId: 'run', timing: DEFAULT_TIMING, key: 'release' };

let directory: string;
let registry: OwnRegistry;
let configuration: WorkerConfiguration;
/** What activities wrote to the worker's log. */
const logged: LogEntry[] = [];
const logger = new DefaultLogger('INFO', (entry) => void logged.push(entry));
/** Runs an activity as a worker would, without a server. */
const run = <Input, Result>(activity: (input: Input) => Promise<Result>, input: Input): Promise<Result> =>
  new MockActivityEnvironment({}, { logger }).run(activity, input);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-signing-'));
  registry = await startOwnRegistry();
  await writeFile(join(directory, 'passphrase'), `${PASSPHRASE}\n`, { mode: 0o600 });
  await writeFile(join(directory, 'wrong'), 'another passphrase\n', { mode: 0o600 });
  for (const name of ['release', 'other']) await generateKey(join(directory, name), join(directory, 'passphrase'));
  const key = (name: string, publicKey = name, passphrase = 'passphrase') => ({
    privateKey: join(directory, `${name}.private`),
    publicKey: join(directory, `${publicKey}.pub`),
    passphraseFile: join(directory, passphrase),
    repositories: [`${registry.address}/acme`],
  });
  configuration = WorkerConfiguration.parse({
    keys: {
      release: key('release'),
      other: key('other'),
      'wrong-passphrase': key('release', 'release', 'wrong'),
      'no-pair': key('release', 'other'),
      gone: key('gone'),
    },
  });
});

afterAll(async () => {
  await registry?.stop();
  await rm(directory, { recursive: true, force: true });
});

const repositoryNamed = (name: string) => `${registry.address}/acme/${name}`;
const withAccess = <Result>(body: (access: RegistryAccess) => Promise<Result>) =>
  withRegistryAccess(configuration, [], body);

/** Pushes a layout with one blob, without a tag. @returns its digest */
async function push(repository: string, layout: Layout, bytes: Uint8Array): Promise<string> {
  await withAccess(async (access) => {
    const source = join(access.directory, 'layout');
    await writeLayout(source, layout, [{ digest: `sha256:${sha256(bytes)}`, bytes }]);
    await copyImage(access, { source: `oci:${source}`, destination: `docker://${repository}@${layout.root.digest}` });
  });
  return layout.root.digest;
}

/** Pushes a disk artifact, an index with one entry, of some bytes. */
async function pushDisk(repository: string, text: string): Promise<string> {
  const bytes = Buffer.from(text);
  const blob = { mediaType: 'application/vnd.diskimage.vmdk', digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  const layout = diskArtifact({ artifactType: blob.mediaType, architecture: 'amd64', blob });
  return push(repository, layout, bytes);
}

/** Pushes an image of one layer that holds one file. */
async function pushImage(repository: string, path: string): Promise<string> {
  const tar = pack();
  tar.entry({ name: path, uid: 107, gid: 107, mode: 0o440 }, `content of ${repository}`);
  tar.finalize();
  const bytes = await buffer(tar);
  const layer = { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  return push(repository, containerDisk({ architecture: 'amd64', layer }), bytes);
}

async function failureOf(activity: Promise<unknown>): Promise<Failure> {
  const error = await activity.then(
    () => expect.fail('it should have failed'),
    (thrown: unknown) => thrown as { details?: Failure[]; failure?: Failure },
  );
  return (error.failure ?? error.details?.[0])!;
}

/** Signatures below the `.sig` tag of a digest, by whatever key. */
async function signatureCount(repository: string, digest: string): Promise<number> {
  const manifest = (await manifestOf(`${repository}:${signatureTag(digest)}`)) as { layers?: unknown[] };
  return manifest.layers?.length ?? 0;
}

describe('signing and tagging', () => {
  test('writes every signature before the tag, once for each name, and adopts what is there', async () => {
    const repository = repositoryNamed('ordered/diskimage-vmdk');
    const digest = await pushDisk(repository, 'disk');
    const signing = { ...identity, repository, digest, tags: ['v1', 'latest'] };
    expect(await run((await offeredOn('sign', { configuration })).sign, signing)).toEqual({
      signed: ['v1', 'latest'],
      attempts: 1,
    });
    expect(await run((await offeredOn('sign', { configuration })).sign, signing)).toEqual({ signed: [], attempts: 1 });
    expect(await run((await offeredOn('sign', { configuration })).sign, { ...signing, tags: ['v1', 'next'] })).toEqual({
      signed: ['next'],
      attempts: 1,
    });
    await run((await offeredOn('sign', { configuration })).verify, signing);
    expect((await tagsOf(repository)).filter((tag) => !tag.endsWith('.sig'))).toEqual([]);
    const moves = ['v1', 'latest'].map((tag) => ({ repository, tag, digest, expected: null }));
    const moved = { moved: [`${repository}:v1`, `${repository}:latest`], vanished: [], attempts: 1 };
    expect(await run((await offeredOn('sign', { configuration })).tag, { ...identity, moves })).toEqual(moved);
    expect(await run((await offeredOn('sign', { configuration })).tag, { ...identity, moves })).toEqual(moved);

    const { manifests } = (await manifestOf(`${repository}:v1`)) as unknown as { manifests: { digest: string }[] };
    const entry = manifests[0]!.digest;
    expect(await signatureCount(repository, digest)).toBe(3);
    // The entry has tags of its own: v1-amd64 beside v1.
    expect(await signatureCount(repository, entry)).toBe(6);
    const stored = (await storedManifests(registry.log)).filter((name) => name.startsWith('acme/ordered/'));
    const at = (name: string) => stored.indexOf(`acme/ordered/diskimage-vmdk:${name}`);
    const lastSignature = Math.max(
      ...[digest, entry].map((signed) => stored.lastIndexOf(`acme/ordered/diskimage-vmdk:${signatureTag(signed)}`)),
    );
    expect(lastSignature).toBeGreaterThan(0);
    expect(at('v1-amd64')).toBeGreaterThan(lastSignature);
    expect(at('v1')).toBeGreaterThan(at('v1-amd64'));
    expect(at('latest')).toBeGreaterThan(at('v1'));
    expect(stored.filter((name) => name.endsWith(':v1'))).toHaveLength(1);

    const audited = logged.filter(({ meta }) => meta?.audit === 'signature' && meta.repository === repository);
    expect(audited.map(({ meta }) => `${meta?.key} ${meta?.tag} ${meta?.digest} ${meta?.release}`)).toEqual(
      [
        ...['v1', 'latest'].flatMap((tag) => [`${tag} ${entry}`, `${tag} ${digest}`]),
        ...['v1-amd64', 'latest-amd64'].map((tag) => `${tag} ${entry}`),
        `next ${entry}`,
        `next ${digest}`,
        `next-amd64 ${entry}`,
      ].map((signature) => `release ${signature} release/test:v1`),
    );
  });

  test('signs again when somebody else overwrites the signatures', async () => {
    const repository = repositoryNamed('contended');
    const digest = await pushImage(repository, 'etc/hostname');
    const url = `http://${registry.address}/v2/acme/contended/manifests/${signatureTag(digest)}`;
    await withAccess(async (access) => {
      const other = await openKey(configuration, 'other', [repository]);
      const key = await openKey(configuration, 'release', [repository]);
      const subject = { repository, digest, tags: ['v1', 'v2'] };
      await signDigest(access, other, { ...subject, tags: ['v1'] }, { timeout: 60_000 });
      const accept = 'application/vnd.oci.image.manifest.v1+json';
      const theirs = await (await fetch(url, { headers: { accept } })).text();
      let overwrites = 0;
      const signed = await signDigest(access, key, subject, {
        timeout: 60_000,
        // What a signer does that read the tag before ours was written.
        written: async ({ tag }) => {
          if (tag !== 'v2' || overwrites++ > 0) return;
          const headers = { 'content-type': accept };
          expect((await fetch(url, { method: 'PUT', headers, body: theirs })).status).toBe(201);
        },
      });
      expect(overwrites).toBe(2);
      expect(signed).toEqual(['v1', 'v2']);
      expect((await signedNames(access, repository, digest, key.publicKey)).sort()).toEqual([
        `${repository}:v1`,
        `${repository}:v2`,
      ]);
      expect(await signedNames(access, repository, digest, other.publicKey)).toEqual([`${repository}:v1`]);
    });
  });

  test('moves nothing when a digest has vanished, a name is unsigned, or somebody else moved a tag', async () => {
    const repository = repositoryNamed('guarded');
    const [first, second] = [await pushImage(repository, 'etc/one'), await pushDisk(repository, 'two')];
    await run((await offeredOn('sign', { configuration })).sign, {
      ...identity,
      repository,
      digest: first,
      tags: ['v1'],
    });
    const move = { repository, tag: 'v1', digest: first, expected: null };
    const tag = (await offeredOn('sign', { configuration })).tag;

    const gone = `sha256:${'0'.repeat(64)}`;
    expect(await run(tag, { ...identity, moves: [move, { ...move, tag: 'v2', digest: gone }] })).toEqual({
      moved: [],
      vanished: [gone],
      attempts: 1,
    });
    const unsigned = { repository, tag: 'v2', digest: second, expected: null };
    expect(await failureOf(run(tag, { ...identity, moves: [move, unsigned] }))).toMatchObject({
      kind: 'signature-rejected',
    });
    expect(await anyAccess().repository(repository).headManifest('v1')).toBeNull();

    await withAccess((access) =>
      copyImage(access, { source: `docker://${repository}@${second}`, destination: `docker://${repository}:v1` }),
    );
    expect(await failureOf(run(tag, { ...identity, moves: [move] }))).toMatchObject({
      kind: 'tag-moved',
      message: `${repository}:v1 points at ${second}; it did not exist when the release began`,
    });
    expect(await run(tag, { ...identity, moves: [{ ...move, expected: second }] })).toMatchObject({
      moved: [`${repository}:v1`],
    });
    expect(await anyAccess().repository(repository).headManifest('v1')).toBe(first);
  });
});

test('an index whose tag cannot be moved leaves the tags of its entries as they were', async () => {
  const proxy = await startFaultProxy(() => registry.address);
  try {
    const { keys } = configuration;
    const release = { ...keys['release']!, repositories: [proxy.address] };
    const { sign, tag } = await offeredOn('sign', { configuration: { ...configuration, keys: { ...keys, release } } });
    const repository = `${proxy.address}/acme/unmoved`;
    const [former, latter] = [await pushDisk(repository, 'former'), await pushDisk(repository, 'latter')];
    for (const digest of [former, latter])
      await run(sign, { ...identity, repository, digest, tags: ['v1', 'v2', 'v3'] });
    const move = (name: string, digest: string) => ({
      ...identity,
      moves: [{ repository, tag: name, digest, expected: 'any' as const }],
    });
    const at = (name: string) => anyAccess().repository(repository).headManifest(name);
    const stop = (name: string, what: Misfortune) =>
      proxy.inject({ method: 'PUT', path: new RegExp(`/${name}$`), what });

    await run(tag, move('v1', former));
    const entry = await at('v1-amd64');
    const failing = stop('v1', { status: 500 });
    const { kind, message } = await failureOf(run(tag, move('v1', latter)));
    expect([kind, message]).toEqual(['registry', expect.not.stringContaining('moved already')]);
    expect([await at('v1'), await at('v1-amd64')]).toEqual([former, entry]);
    failing.lift();

    const cancelled = async (name: string) => {
      const stalled = stop(name, 'stall');
      const environment = new MockActivityEnvironment({}, { logger });
      const ended = environment.run(tag, move(name, latter)).catch((error: unknown) => error);
      await eventually('its index is being tagged', async () => (stalled.hits > 0 ? true : undefined));
      environment.cancel();
      return ((await ended) as CancelledFailure).details;
    };
    // The registry of this test deletes no tags, as one does behind the proxy.
    expect(await cancelled('v2')).toEqual([{ moved: [`${repository}:v2-amd64`] }]);
    const deletion = proxy.inject({ method: 'DELETE', path: /\/v3-amd64$/, what: { status: 202 } });
    expect(await cancelled('v3')).toEqual([{ moved: [] }]);
    expect(deletion.hits).toBe(1);
  } finally {
    await proxy.stop();
  }
});

test('a registry that is busy, or refuses a token once, is asked again, and accuses nobody', async () => {
  const proxy = await startFaultProxy(() => registry.address);
  try {
    const { keys } = configuration;
    const release = { ...keys['release']!, repositories: [proxy.address] };
    const { sign, verify } = await offeredOn('sign', {
      configuration: { ...configuration, keys: { ...keys, release } },
    });
    const repository = `${proxy.address}/acme/busy`;
    const subject = { ...identity, repository, digest: await pushImage(repository, 'etc/busy'), tags: ['v1'] };
    await run(sign, subject);
    const busy = proxy.inject({ method: 'GET', path: /\.sig$/, what: { status: 503 } });
    expect(await failureOf(run(verify, subject))).toMatchObject({ kind: 'registry' });
    expect(busy.hits).toBeGreaterThan(0);
    busy.lift();
    expect(await run(verify, subject)).toEqual({ attempts: 1 });

    // A token that has ended, or is not valid yet: the next one is asked for once.
    const refuse = (times?: number) =>
      proxy.inject({ method: 'PUT', path: /\/manifests\/sha256-\S+\.sig$/, what: { status: 401 }, times });
    const expired = refuse(1);
    expect(await run(sign, { ...subject, tags: ['v2'] })).toMatchObject({ signed: ['v2'] });
    expect(expired.hits).toBe(1);
    const always = refuse();
    expect(await failureOf(run(sign, { ...subject, tags: ['v3'] }))).toMatchObject({
      kind: 'registry-login',
      message: expect.stringContaining('a fresh token made no difference') as string,
    });
    expect(always.hits).toBe(2);
  } finally {
    await proxy.stop();
  }
});

describe('a registry whose garbage collection deletes manifests without a tag', () => {
  const verifyTagged = (name: string) => {
    const publicKey = join(directory, 'release.pub');
    return withUserAccess((access) => verifyAsDevice({ reference: name, publicKey, access }));
  };

  test('keeps a tagged disk in full; what it lost is neither called present nor tagged', async () => {
    const repository = repositoryNamed('collected/diskimage-vmdk');
    const [digest, untagged] = [await pushDisk(repository, 'kept'), await pushDisk(repository, 'lost')];
    for (const one of [digest, untagged]) {
      await run((await offeredOn('sign', { configuration })).sign, {
        ...identity,
        repository,
        digest: one,
        tags: ['v1'],
      });
    }
    const tag = (await offeredOn('sign', { configuration })).tag;
    const moves = (to: string, name = 'v1') => ({
      ...identity,
      moves: [{ repository, tag: name, digest: to, expected: null }],
    });
    await run(tag, moves(digest));
    // As releases were tagged before their entries were.
    await withAccess(async (access) => {
      await access
        .repository(repository)
        .putManifest('bare', (await access.repository(repository).getManifest(untagged))!);
    });
    await registry.collectGarbage();
    for (const name of ['v1', 'v1-amd64']) {
      expect(await verifyTagged(`${repository}:${name}`)).toMatchObject({ kind: 'artifact' });
    }
    await withAccess(async (access) => {
      expect(await access.repository(repository).missingPart(digest)).toBeNull();
      expect(await access.repository(repository).headManifest('bare')).toBe(untagged);
      expect(await access.repository(repository).missingPart(untagged)).toMatch(/^the manifest sha256:[0-9a-f]{64}$/);
    });
    expect(await run(tag, moves(untagged, 'v2'))).toMatchObject({ moved: [], vanished: [untagged] });
  });

  test('leaves the tag of another release alone, whatever its name looks like', async () => {
    const repository = repositoryNamed('alike/diskimage-vmdk');
    const [one, other] = [await pushDisk(repository, 'one'), await pushDisk(repository, 'other')];
    const sign = (await offeredOn('sign', { configuration })).sign;
    const tag = (await offeredOn('sign', { configuration })).tag;
    for (const [digest, name] of [
      [one, 'v1-amd64'],
      [other, 'v1'],
    ] as const) {
      await run(sign, { ...identity, repository, digest, tags: [name] });
    }
    const move = (digest: string, name: string) => ({
      ...identity,
      moves: [{ repository, tag: name, digest, expected: null }],
    });
    await run(tag, move(one, 'v1-amd64'));
    expect(await failureOf(run(tag, move(other, 'v1')))).toMatchObject({
      kind: 'tag-moved',
      message: `${repository}:v1-amd64 is needed for v1, and is another release's`,
    });
    expect(await anyAccess().repository(repository).headManifest('v1-amd64')).toBe(one);
    expect(await anyAccess().repository(repository).headManifest('v1')).toBeNull();
  });
});

describe('keys', () => {
  const prove = async (key: string, repositories: string[]) =>
    run((await offeredOn('sign', { configuration })).proveSigning, { ...identity, key, repositories });

  test('proves the key, its passphrase, its pair and the right to push', async () => {
    const allowed = [repositoryNamed('proof'), repositoryNamed('proof/diskimage-iso')];
    const publicKey = await readFile(join(directory, 'release.pub'), 'utf8');
    expect(await prove('release', allowed)).toEqual({ attempts: 1, publicKey });
    const passphrase = await failureOf(prove('wrong-passphrase', allowed));
    expect(passphrase.kind).toBe('key-passphrase');
    expect(JSON.stringify(passphrase)).not.toMatch(/a passphrase that|another passphrase/);
    expect(await failureOf(prove('no-pair', allowed))).toMatchObject({ kind: 'key-missing' });
    expect(await failureOf(prove('gone', allowed))).toMatchObject({ kind: 'key-missing' });
    expect((await failureOf(prove('unknown', allowed))).message).toContain('it has "release"');
    const elsewhere = await failureOf(prove('release', [...allowed, `${registry.address}/acmes/x`]));
    expect(elsewhere).toMatchObject({ kind: 'key-not-allowed' });
    expect(elsewhere.message).toContain(`${registry.address}/acmes/x`);
  });

  test('tells of all keys at once which cannot sign', async () => {
    const problems = await proveKeys(configuration);
    expect(problems.map((line) => /^the key "([^"]*)" cannot sign: /.exec(line)?.[1])).toEqual([
      'wrong-passphrase',
      'no-pair',
      'gone',
    ]);
    expect(problems.join()).not.toMatch(/a passphrase that|another passphrase/);
  });

  test('a wrong passphrase leaves no signature', async () => {
    const repository = repositoryNamed('locked');
    const digest = await pushImage(repository, 'etc/hostname');
    const signing = { ...identity, key: 'wrong-passphrase', repository, digest, tags: ['v1'] };
    expect(await failureOf(run((await offeredOn('sign', { configuration })).sign, signing))).toMatchObject({
      kind: 'key-passphrase',
    });
    expect(await tagsOf(repository)).toEqual([]);
  });
});

describe('verifying as a device', () => {
  const verify = (reference: string, key = 'release') =>
    withUserAccess((access) => verifyAsDevice({ reference, publicKey: join(directory, `${key}.pub`), access }));

  test.each([
    ['image', (repository: string) => pushImage(repository, 'etc/hostname'), null],
    ['container-disk', (repository: string) => pushImage(repository, 'disk/disk.qcow2'), null],
    ['artifact', (repository: string) => pushDisk(repository, 'a disk'), 'application/vnd.diskimage.vmdk'],
  ])('accepts the signed name (%s) and nothing else', async (kind, make, artifactType) => {
    const repository = repositoryNamed(`device/${kind}`);
    const digest = await make(repository);
    const at = `${repository}@${digest}`;
    expect(await failureOf(verify(at))).toMatchObject({ kind: 'signature-rejected' });
    const signing = { ...identity, repository, digest, tags: ['v1'] };
    await run((await offeredOn('sign', { configuration })).sign, signing);
    const found = { digest, kind, artifactType, signedNames: [`${repository}:v1`] };
    expect(await verify(at)).toMatchObject(found);
    await run((await offeredOn('sign', { configuration })).tag, {
      ...identity,
      moves: [{ repository, tag: 'v1', digest, expected: null }],
    });
    expect(await verify(`${repository}:v1`)).toMatchObject(found);
    expect(await verify(`${repository}:v1@${digest}`)).toMatchObject(found);
    expect(await failureOf(verify(`${repository}:v1`, 'other'))).toMatchObject({ kind: 'signature-rejected' });
    await withAccess((access) =>
      copyImage(access, { source: `docker://${at}`, destination: `docker://${repository}:retagged` }),
    );
    expect(await failureOf(verify(`${repository}:retagged`))).toMatchObject({ kind: 'signature-rejected' });
    expect(await failureOf(verify(`${repository}:nothing`))).toMatchObject({ kind: 'image-not-found' });
    const wrongKey = { ...signing, key: 'other' };
    expect(await failureOf(run((await offeredOn('sign', { configuration })).verify, wrongKey))).toMatchObject({
      kind: 'signature-rejected',
    });
    const unsigned = ['v2', ...(kind === 'artifact' ? ['v2-amd64'] : [])].map((tag) => `${repository}:${tag}`);
    const otherName = { ...signing, tags: ['v1', 'v2'] };
    expect(await failureOf(run((await offeredOn('sign', { configuration })).verify, otherName))).toMatchObject({
      kind: 'signature-rejected',
      message: `${at} is not signed by the key for ${unsigned.join(', ')}`,
    });
  });

  test('tells what it cannot take', async () => {
    expect(await failureOf(verify(repositoryNamed('x')))).toMatchObject({ kind: 'invalid-input' });
    expect(await failureOf(verify(`${repositoryNamed('x')}:v1`, 'nokey'))).toMatchObject({ kind: 'key-missing' });
  });
});

describe('the record', () => {
  const record: ReleaseRecord = {
    schemaVersion: 1,
    release: 'release/test:v1',
    runId: 'run',
    status: 'released',
    image: { reference: 'test:v1', digest: `sha256:${'1'.repeat(64)}`, verified: true },
    disks: [],
    inputs: null,
    stages: [],
    failure: null,
  };

  test('is signed before it is named, adopted when it is there, and read only when its signature holds', async () => {
    const repository = repositoryNamed('edge/release');
    const make = (await offeredOn('sign', { configuration })).record;
    const input = { ...identity, repository, tags: ['v1', 'latest'], record };
    const first = await run(make, input);
    expect(await run(make, input)).toEqual(first);
    const stored = (await storedManifests(registry.log)).filter((name) => name.startsWith('acme/edge/release'));
    expect(stored.indexOf(`acme/edge/release:v1`)).toBeGreaterThan(
      stored.lastIndexOf(`acme/edge/release:${signatureTag(first.digest)}`),
    );
    expect(await signatureCount(repository, first.digest)).toBe(2);
    const key = (name: string) => join(directory, `${name}.pub`);
    const access = anyAccess();
    expect(await readRecord(access, repository, 'v1', key('release'))).toEqual(record);
    expect(await readRecord(access, repository, 'latest', key('release'))).toEqual(record);
    expect(await readRecord(access, repository, 'v1', key('other'))).toBeNull();
    expect(await readRecord(access, repository, 'v1', null)).toBeNull();
    expect(await readRecord(access, repository, 'v2', key('release'))).toBeNull();
    await withAccess((own) =>
      copyImage(own, { source: `docker://${repository}:v1`, destination: `docker://${repository}:v3` }),
    );
    expect(await readRecord(access, repository, 'v3', key('release'))).toBeNull();
    const reference = `${repository}:v1`;
    const verified = await withUserAccess((own) =>
      verifyAsDevice({ reference, publicKey: key('release'), access: own }),
    );
    expect(verified.kind).toBe('record');
    const changed = { ...record, runId: 'another run' };
    const second = await run(make, { ...input, record: changed });
    expect(second.digest).not.toBe(first.digest);
    expect(await readRecord(access, repository, 'v1', key('release'))).toEqual(changed);

    // Another project that names the same repository for its records, or for a disk.
    const image = { ...record.image, reference: `${repositoryNamed('other')}:v1` };
    expect(await failureOf(run(make, { ...input, record: { ...record, image } }))).toMatchObject({
      kind: 'tag-moved',
      message: `${repository}:v1 is not what a release of ${repositoryNamed('other')} left`,
    });
    const disk = await pushDisk(repository, 'a disk of another project');
    const { sign, tag } = await offeredOn('sign', { configuration });
    await run(sign, { ...identity, repository, digest: disk, tags: ['v1'] });
    const move = { repository, tag: 'v1', digest: disk, expected: { leftBy: repositoryNamed('other') } };
    expect(await failureOf(run(tag, { ...identity, moves: [move] }))).toMatchObject({ kind: 'tag-moved' });
    expect(await readRecord(access, repository, 'v1', key('release'))).toEqual(changed);
  });
});

describe('logins', () => {
  test('proves the right to push with the configured login, and tells a refused one', async () => {
    const closed = await startOwnRegistry({ login: true });
    try {
      const repository = `${closed.address}/acme/closed`;
      const attempt = async (login: string | null, body: (access: RegistryAccess) => Promise<unknown>) => {
        const authfile = join(directory, 'auth.json');
        const auth = Buffer.from(`${LOGIN.username}:${login}`).toString('base64');
        await writeFile(authfile, JSON.stringify({ auths: login === null ? {} : { [closed.address]: { auth } } }));
        return withRegistryAccess(
          { registries: [{ location: closed.address, authfile, insecure: false }] },
          [repository],
          body,
        );
      };
      const prove = (access: RegistryAccess) => access.repository(repository).provePushRight();
      await attempt(LOGIN.password, prove);
      expect(await attempt(LOGIN.password, (access) => access.repository(repository).answersAnonymously())).toBe(false);
      for (const wrong of [null, 'wrong-password']) {
        const failure = await failureOf(attempt(wrong, prove));
        expect(failure.kind).toBe('registry-login');
        expect(JSON.stringify(failure)).not.toContain('wrong-password');
      }
      const refused = await failureOf(
        attempt('wrong-password', (access) =>
          copyImage(access, { source: `docker://${repository}:v1`, destination: `dir:${join(directory, 'none')}` }),
        ),
      );
      expect(refused.kind).toBe('registry-login');
    } finally {
      await closed.stop();
    }
    const open = anyAccess();
    expect(await open.repository(repositoryNamed('not-there-yet')).answersAnonymously()).toBe(true);
  });
});

describe('the layout', () => {
  test('of a disk artifact is what podman pushes, byte for byte', async () => {
    const file = join(directory, 'disk.vmdk');
    await writeFile(file, 'not really a disk');
    const list = `localhost/flightline-test-${process.pid}:artifact`;
    const type = 'application/vnd.diskimage.vmdk';
    const theirs = repositoryNamed('podman/diskimage-vmdk');
    try {
      await podman('manifest', 'create', list);
      const kind = ['--artifact', '--artifact-type', type, '--artifact-layer-type', type];
      await podman('manifest', 'add', ...kind, '--arch=amd64', '--os=linux', list, file);
      await podman('manifest', 'push', '--all', '--tls-verify=false', list, `docker://${theirs}:v1`);
    } finally {
      await podman('manifest', 'rm', list);
    }
    const blob = { mediaType: type, ...(await digestFile(file)), title: 'disk.vmdk' };
    const layout = diskArtifact({ artifactType: type, architecture: 'amd64', blob });
    expect(await anyAccess().repository(theirs).headManifest('v1')).toBe(layout.root.digest);

    const ours = repositoryNamed('ours/diskimage-vmdk');
    await push(ours, layout, await readFile(file));
    expect(await manifestOf(`${ours}@${layout.root.digest}`)).toEqual(await manifestOf(`${theirs}:v1`));
  });

  test('of a small artifact takes requests, and skopeo where the registry takes uploads elsewhere', async () => {
    const bytes = Buffer.from('what was said');
    const blob = { mediaType: 'text/plain', digest: `sha256:${sha256(bytes)}`, size: bytes.length };
    const artifact = {
      layout: blobArtifact({ artifactType: 'application/vnd.flightline.test', blob }),
      blobs: [{ digest: blob.digest, bytes }],
    };
    const { digest } = artifact.layout.root;
    // The registry names itself as the host of an upload, and not this way to it.
    const programs: string[] = [];
    const elsewhere = createServer((from, to) => {
      programs.push(from.headers['user-agent'] ?? '');
      const [hostname, port] = registry.address.split(':');
      const headers = { ...from.headers, host: registry.address };
      const onward = request({ hostname, port, method: from.method, path: from.url, headers }, (answer) => {
        to.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(to);
      });
      from.pipe(onward);
    });
    elsewhere.listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    try {
      const way = `127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
      for (const repository of [`${way}/acme/sent-elsewhere`, `${registry.address}/acme/sent-here`]) {
        await withAccess(async (access) => {
          await sendArtifact(access, { repository }, artifact, { timeout: 60_000 });
          expect(await access.repository(repository).missingPart(digest)).toBeNull();
          await sendArtifact(access, { repository, tag: 'v1' }, artifact, { timeout: 60_000 });
          expect(await access.repository(repository).headManifest('v1')).toBe(digest);
        });
      }
      const usesSkopeo = (names: string[]) => names.some((name) => name.includes('skopeo/'));
      expect(usesSkopeo(programs)).toBe(true);
      const here = (await readFile(registry.log, 'utf8')).split('\n').filter((line) => line.includes('acme/sent-here'));
      expect(here.length).toBeGreaterThan(0);
      expect(usesSkopeo(here)).toBe(false);
    } finally {
      elsewhere.close();
    }
  });

  test('of a single artifact arrives digest for digest', async () => {
    const repository = repositoryNamed('context');
    const bytes = Buffer.from('files');
    const blob = { mediaType: 'text/plain', digest: `sha256:${sha256(bytes)}`, size: bytes.length };
    const layout = blobArtifact({ artifactType: 'application/vnd.flightline.context.v1', blob });
    const digest = await push(repository, layout, bytes);
    expect(await anyAccess().repository(repository).headManifest(digest)).toBe(digest);
  });
});

/** Access that needs no files, for reading by HTTP only. */
function anyAccess(): RegistryAccess {
  return new RegistryAccess({ directory, authfile: '/dev/null', registriesDirectory: directory }, () => true);
}

async function podman(...args: string[]): Promise<void> {
  const child = spawn('podman', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => (said += String(chunk)));
  const [code] = (await once(child, 'close')) as [number];
  expect(code, said).toBe(0);
}
