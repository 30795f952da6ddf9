/** device-verify with the real podman and skopeo: what a device would do by the files that are in an image. */
import { offeredOn } from '../../activities/index.ts';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readPublicKey } from '../../activities/trust/keys.ts';
import { claimLease } from '../../activities/host/leases.ts';
import { signDigest } from '../../activities/trust/signatures.ts';
import { withRegistryAccess } from '../../activities/tools/registry/access.ts';
import { generateKey } from '../../activities/tools/registry/skopeo.ts';
import type { HostContext } from '../../activities/host/work-directory.ts';
import {
  DEVICE_POLICY,
  deviceFiles,
  deviceKeyPath,
  policyFor,
  registriesDropIn,
} from '../../model/device/signature-policy.ts';
import type { Failure } from '../../model/failure/failure.ts';
import { timingWith } from '../../model/base/timing.ts';
import { runActivity } from '../support/activity.ts';
import { temporaryHost } from '../support/host.ts';
import { LOGIN, startOwnRegistry, type OwnRegistry } from '../support/own-registry.ts';
import { buildSmallImage } from '../support/small-image.ts';
import { usePrivateContainersConf } from '../support/tools.ts';

const timing = timingWith();
const KEY = 'release';

let directory: string;
let restore: () => Promise<void>;
let open: OwnRegistry;
let closed: OwnRegistry;
let skopeo: string;
const pem: Record<string, string> = {};
beforeAll(async () => {
  restore = await usePrivateContainersConf();
  directory = await mkdtemp(join(tmpdir(), 'flightline-device-verify-'));
  await writeFile(join(directory, 'passphrase'), 'a passphrase\n', { mode: 0o600 });
  for (const name of [KEY, 'other']) {
    await generateKey(join(directory, name), join(directory, 'passphrase'));
    pem[name] = await readFile(join(directory, `${name}.pub`), 'utf8');
  }
  open = await startOwnRegistry();
  closed = await startOwnRegistry({ login: true });
  const auth = Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64');
  await writeFile(join(directory, 'auth.json'), JSON.stringify({ auths: { [closed.address]: { auth } } }), {
    mode: 0o600,
  });
  skopeo = (await execa('which', ['skopeo'])).stdout;
});
afterAll(async () => {
  await open?.stop();
  await closed?.stop();
  await rm(directory, { recursive: true, force: true });
  await restore?.();
});

let host: HostContext & { remove: () => Promise<void> };
let release: string;
const images: string[] = [];
beforeEach(async () => {
  host = await temporaryHost();
  host.configuration.registries = [
    { location: closed.address, authfile: join(directory, 'auth.json'), insecure: false },
  ];
});
afterEach(async () => {
  await runActivity((await offeredOn('short', host)).cleanUp, { release, runId: 'run', timing });
  for (const image of images.splice(0)) await execa('podman', ['rmi', '--force', image], { reject: false });
  await host.remove();
});

/** What is in the image: the files of device-config for its repository, changed as a case wants. */
type Files = Record<string, string>;
const asMade = (repository: string): Files => {
  const repositories = [repository];
  const policy = policyFor(repositories, deviceKeyPath(KEY), 'reject');
  const files = deviceFiles({ key: KEY, publicKey: pem[KEY]!, repositories }, policy);
  return Object.fromEntries(files.map(({ path, text }) => [path, text]));
};

/** Pushes an image with these files, signed by the release's key, and asks what a device made of it does. */
async function verify(registry: OwnRegistry, filesOf: (repository: string) => Files, programs: string[] = []) {
  const repository = `${registry.address}/os-${randomBytes(4).toString('hex')}`;
  release = `release/${repository}:v1`;
  const image = await buildSmallImage(`localhost/flightline-test/device:${process.pid}`, {
    programs,
    files: filesOf(repository),
  });
  images.push(image);
  const digest = await withRegistryAccess(host.configuration, [repository], async (access) => {
    const file = join(directory, 'digest');
    const login = `--authfile=${join(directory, 'auth.json')}`;
    const push = ['push', '--quiet', login, '--tls-verify=false', `--digestfile=${file}`, image];
    await execa('podman', [...push, `docker://${repository}@@unknown-digest@@`]);
    const pushed = await readFile(file, 'utf8');
    const publicKeyFile = join(directory, `${KEY}.pub`);
    const passphraseFile = join(directory, 'passphrase');
    const privateKey = join(directory, `${KEY}.private`);
    const publicKey = await readPublicKey(publicKeyFile);
    const key = { name: KEY, privateKey, passphraseFile, publicKeyFile, publicKey };
    await signDigest(access, key, { repository, digest: pushed, tags: ['v1'] }, { timeout: 60_000 });
    return pushed;
  });
  const now = new Date().toISOString();
  const claim = { release, runId: 'run', branch: 'image', slot: 'build' as const, space: 1, requestedAt: now };
  await claimLease(host, { ...claim, seenUntil: now }, timing, () => Promise.resolve({ free: 1e12, total: 1e12 }));
  const input = { release, runId: 'run', image: { repository, tag: 'v1', digest }, key: KEY, timing };
  return (await runActivity((await offeredOn('build', host)).deviceVerify, input)).result;
}

async function failureOf(activity: Promise<unknown>): Promise<Failure> {
  const error = await activity.then(
    () => expect.fail('it should have failed'),
    (thrown: unknown) => thrown as { details?: Failure[] },
  );
  return error.details![0]!;
}

describe('an image with the files of its release', () => {
  it.each([
    ['the image’s own skopeo', true, 'image'],
    ['the host’s, where the image has none', false, 'host'],
  ])('is proved by %s', async (_, has, tool) => {
    expect(await verify(open, asMade, has ? [skopeo] : [])).toMatchObject({ tool, host: host.name });
  });

  it('gets no login: where the registry asks for one, the host’s program is used', async () => {
    expect(await verify(closed, asMade, [skopeo])).toMatchObject({ tool: 'host' });
  });
});

const without = (path: (repository: string) => string) => (repository: string) => {
  const { [path(repository)]: _, ...rest } = asMade(repository);
  return rest;
};

const acceptsAll: Files = { [DEVICE_POLICY]: JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }) };
const rejectsAll: Files = { [DEVICE_POLICY]: JSON.stringify({ default: [{ type: 'reject' }] }) };
const faults: [string, (repository: string) => Files, string][] = [
  ['accepts anything', (at) => ({ ...asMade(at), ...acceptsAll }), 'would take images that another key signed'],
  ['rejects everything', (at) => ({ ...asMade(at), ...rejectsAll }), 'would refuse it'],
  ['holds another key', (at) => ({ ...asMade(at), [deviceKeyPath(KEY)]: pem.other! }), 'would refuse it'],
  ['looks for no signatures', without((at) => registriesDropIn([at]).path), 'would refuse it'],
  ['has no policy', without(() => DEVICE_POLICY), 'would refuse it'],
  [
    'names a repository twice in registries.d',
    (at) => ({ ...asMade(at), '/etc/containers/registries.d/a.yaml': registriesDropIn([at]).text }),
    'would refuse it',
  ],
];

describe('an image whose device', () => {
  it.each(faults)('%s', async (_, filesOf, message) => {
    const failure = await failureOf(verify(open, filesOf));
    expect(failure).toMatchObject({ kind: 'device-policy', stage: 'device-verify' });
    expect(failure.message).toContain(message);
  });

  it('accepts anything, says its own skopeo', async () => {
    const failure = await failureOf(verify(open, faults[0]![1], [skopeo]));
    expect(failure.message).toContain(faults[0]![2]);
  });
});
