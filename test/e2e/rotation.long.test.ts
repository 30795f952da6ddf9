/** A key that follows another, on a stack: what is live is signed by both, also when the sign worker is killed. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withRegistryAccess } from '../../activities/tools/registry/access.ts';
import { generateKey } from '../../activities/tools/registry/skopeo.ts';
import { attach } from '../../activities/trust/attest/attach.ts';
import { attestedByTag } from '../../activities/trust/attest/read-attested.ts';
import { statementSigner } from '../../activities/trust/attest/statement-signer.ts';
import { openKey, readPublicKey } from '../../activities/trust/keys.ts';
import { signDigest } from '../../activities/trust/signatures.ts';
import { signatureTag } from '../../model/oci/reference.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { RotationReport } from '../../model/tags/rotation.ts';
import { runFlightline, startFlightline } from '../support/flightline.ts';
import { manifestOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { publishRelease, tagAs } from './published-release.ts';

const PREDICATE = 'https://slsa.dev/provenance/v1';
const DAY = 24 * 60 * 60_000;

let directory: string;
let stack: TestStack;
let repository: string;
let next: { privateKey: string; publicKey: string; passphraseFile: string };
let newest: ReleaseRecord;
let configuration: WorkerConfiguration;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-rotation-'));
  const passphraseFile = join(directory, 'passphrase');
  await writeFile(passphraseFile, 'next-passphrase\n', { mode: 0o600 });
  next = { ...(await generateKey(join(directory, 'next'), passphraseFile)), passphraseFile };
  stack = await startTestStack({
    roles: ['control', 'sign'],
    configure: (before) => {
      configuration = {
        ...before,
        keys: { ...before.keys, next: { ...next, repositories: before.keys['release']!.repositories } },
      };
      return configuration;
    },
  });
  repository = `${stack.registry}/test/rotated`;
  const key = await openKey(configuration, 'release', [repository]);
  await withRegistryAccess(configuration, [repository], async (access) => {
    const sign = async (place: string, digest: string, tags: readonly string[]) => {
      await signDigest(access, key, { repository: place, digest, tags }, { timeout: 60_000 });
    };
    const at = Date.now() - 30 * DAY;
    await publishRelease({ repository, tag: 'v1', at, sign });
    newest = await publishRelease({ repository, tag: 'v2', at: at + DAY, sign, disk: true, alsoTag: ['stable'] });
    const { digest } = newest.image;
    const statement = Buffer.from(
      JSON.stringify({
        _type: 'https://in-toto.io/Statement/v1',
        subject: [{ name: repository, digest: { sha256: digest!.slice('sha256:'.length) } }],
        predicateType: PREDICATE,
        predicate: {},
      }),
    );
    const signed = statementSigner(key);
    const attaching = { statement, predicateType: PREDICATE, publicKey: key.publicKey, sign: signed, timeout: 60_000 };
    await attach(access, { repository, digest: digest! }, attaching);
  });
  await tagAs(repository, 'v1', 'by-hand');
});
afterAll(async () => {
  await stack?.end();
  await rm(directory, { recursive: true, force: true });
});

const args = (...more: string[]) => [
  'keys',
  'rotate',
  'release',
  'next',
  '--repository',
  repository,
  '--json',
  ...more,
];
const rotate = async (...more: string[]) => {
  const { exitCode, stdout, stderr } = await runFlightline(args(...more), { environment: stack.environment });
  return { exitCode, stderr, report: JSON.parse(stdout) as RotationReport };
};
const signaturesOf = async (place: string, digest: string): Promise<number> => {
  const { layers } = (await manifestOf(`${place}:${signatureTag(digest)}`)) as unknown as { layers: unknown[] };
  return layers.length;
};
const tagsBy = (report: RotationReport) =>
  Object.fromEntries(report.tags.map(({ reason, tags }) => [reason, tags.toSorted()]));

it('a dry run says what would be signed, and signs nothing', async () => {
  const before = await signaturesOf(repository, newest.image.digest!);
  const { report, exitCode } = await rotate('--dry-run', '--keep-last', '1');
  expect(exitCode).toBe(0);
  expect(report.complete).toBe(false);
  expect(tagsBy(report)).toEqual({ unsigned: ['stable', 'v2'], old: ['v1'], foreign: ['by-hand'] });
  expect(await signaturesOf(repository, newest.image.digest!)).toBe(before);
});

it('signs each name once, though the sign worker is killed meanwhile, and the new key alone verifies all', async () => {
  const { digest } = newest.image;
  const before = await signaturesOf(repository, digest!);
  const running = startFlightline(args(), { environment: stack.environment });
  while ((await signaturesOf(repository, digest!)) === before && running.exitCode === null) {
    await new Promise((done) => setTimeout(done, 50));
  }
  process.kill(stack.pidOf('sign'), 'SIGKILL');
  const { exitCode, stdout, stderr } = await running;
  expect(exitCode, String(stderr)).toBe(0);
  const report = JSON.parse(String(stdout)) as RotationReport;
  expect(report.complete).toBe(true);
  expect(tagsBy(report)).toEqual({ signed: ['stable', 'v1', 'v2'], foreign: ['by-hand'] });
  expect(await signaturesOf(repository, digest!)).toBe(2 * before);

  for (const key of [next.publicKey, stack.publicKey]) {
    for (const name of [`${repository}:stable`, `${repository}/diskimage-vmdk:v2`, `${repository}/release:v2`]) {
      const verified = await runFlightline(['verify', name, '--key', key], { environment: {} });
      expect(verified.exitCode, verified.stderr).toBe(0);
    }
  }
  const publicKey = await readPublicKey(next.publicKey);
  await withRegistryAccess(configuration, [repository], async (access) => {
    const place = access.repository(repository);
    expect(await attestedByTag(place, { digest: digest!, predicateType: PREDICATE, publicKey })).toHaveLength(1);
  });
  const again = await rotate();
  expect(again.report).toEqual(report);
  expect(await signaturesOf(repository, digest!)).toBe(2 * before);
});

it('devices accept either key by the policy that is written for the meantime', async () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const foreign = join(directory, 'foreign.pub');
  await writeFile(foreign, publicKey.export({ type: 'spki', format: 'pem' }));
  const pull = async (also: string) => {
    const root = await mkdtemp(join(directory, 'device-'));
    const keys = ['--public-key', foreign, '--also-key', also];
    const made = ['device-config', '--repository', repository, ...keys, '--output', root];
    const { exitCode, stderr } = await runFlightline(made, { environment: {} });
    expect(exitCode, stderr).toBe(0);
    const policy = join(root, 'etc/containers/policy.json');
    await writeFile(policy, (await readFile(policy, 'utf8')).replaceAll('/etc/pki', join(root, 'etc/pki')));
    const device = ['--policy', policy, '--registries.d', join(root, 'etc/containers/registries.d')];
    const copy = ['copy', '--src-tls-verify=false', '--remove-signatures'];
    return execa('skopeo', [...device, ...copy, `docker://${repository}:v2`, `dir:${root}/pulled`], { reject: false });
  };
  expect((await pull(next.publicKey)).stderr).toBe('');
  expect((await pull(foreign)).exitCode).toBe(1);
});

it('refuses a key that may not sign there', async () => {
  const other = ['keys', 'rotate', 'release', 'none', '--repository', repository];
  const { exitCode, stderr } = await runFlightline(other, { environment: stack.environment });
  expect(exitCode).toBe(1);
  expect(stderr).toContain('no key "none"');
});
