import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allowedKey, openKey, readPublicKey } from '../../../../activities/trust/keys.ts';
import { requirePublicKey } from '../../../../activities/tags/record-by-any-key.ts';
import type { ReleaseRecord } from '../../../../model/release/record.ts';
import { recordArtifact } from '../../../../model/release/record-artifact.ts';
import { signedName } from '../../../../activities/trust/signatures.ts';
import { redact } from '../../../../activities/tools/process/redact.ts';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const D = `sha256:${'1'.repeat(64)}`;
const NAME = 'quay.io/acme/edge:v1';

/** A payload as containers/image 5.34 writes it. */
const payloadOf = (changes: Record<string, unknown> = {}) =>
  Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': NAME },
        image: { 'docker-manifest-digest': D },
        type: 'cosign container image signature',
        ...changes,
      },
      optional: { creator: 'containers/image 5.34.2', timestamp: 1 },
    }),
  );

describe('signedName', () => {
  const by = (payload: Buffer, key = pair.privateKey) => sign('sha256', payload, key).toString('base64');

  test('is the name in a payload that the key signed', () => {
    expect(signedName(payloadOf(), by(payloadOf()), pair.publicKey, D)).toBe(NAME);
  });

  test.each([
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }), 'sha256'],
    ['Ed25519', generateKeyPairSync('ed25519'), null],
  ])('knows %s keys too', (_, other, hash) => {
    const signature = sign(hash, payloadOf(), other.privateKey).toString('base64');
    expect(signedName(payloadOf(), signature, other.publicKey, D)).toBe(NAME);
  });

  test('is nothing when key, payload, digest or form are others', () => {
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(signedName(payloadOf(), by(payloadOf(), stranger.privateKey), pair.publicKey, D)).toBeUndefined();
    expect(
      signedName(payloadOf({ identity: { 'docker-reference': 'x' } }), by(payloadOf()), pair.publicKey, D),
    ).toBeUndefined();
    expect(signedName(payloadOf(), by(payloadOf()), pair.publicKey, `sha256:${'2'.repeat(64)}`)).toBeUndefined();
    expect(signedName(payloadOf(), 'no signature', pair.publicKey, D)).toBeUndefined();
    for (const payload of [
      payloadOf({ type: 'other' }),
      payloadOf({ unknown: 1 }),
      Buffer.from('{}'),
      Buffer.from('x'),
    ]) {
      expect(signedName(payload, by(payload), pair.publicKey, D)).toBeUndefined();
    }
  });
});

describe('named keys', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flightline-keys-'));
    await writeFile(join(directory, 'k.private'), 'encrypted');
    await writeFile(join(directory, 'k.pub'), pair.publicKey.export({ type: 'spki', format: 'pem' }));
    await writeFile(join(directory, 'plain.private'), pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await writeFile(join(directory, 'passphrase'), 'open sesame please\nnot this line\n');
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));
  const configuration = (changes: Record<string, string | undefined> = {}) => ({
    keys: {
      release: {
        privateKey: join(directory, 'k.private'),
        publicKey: join(directory, 'k.pub'),
        passphraseFile: join(directory, 'passphrase'),
        repositories: ['quay.io/acme'],
        ...changes,
      },
    },
  });

  test('are opened when all files are there, and their passphrase is blotted out from then on', async () => {
    const key = await openKey(configuration(), 'release', ['quay.io/acme/edge', 'quay.io/acme']);
    expect(key).toMatchObject({ name: 'release', privateKey: join(directory, 'k.private') });
    expect(redact('a log with open sesame please in it')).toBe('a log with [secret] in it');
  });

  test.each([
    ['key-missing', 'unknown', ['quay.io/acme/edge'], {}],
    ['key-missing', 'constructor', ['quay.io/acme/edge'], {}],
    ['key-not-allowed', 'release', ['quay.io/acme/edge', 'quay.io/acmes/edge'], {}],
    ['key-missing', 'release', ['quay.io/acme/edge'], { privateKey: '/nowhere/k' }],
    ['key-missing', 'release', ['quay.io/acme/edge'], { passphraseFile: '/nowhere/p' }],
    ['key-missing', 'release', ['quay.io/acme/edge'], { publicKey: '/nowhere/k.pub' }],
    ['key-missing', 'release', ['quay.io/acme/edge'], { privateKey: undefined, passphraseFile: undefined }],
  ])('fail as %s (%s for %j with %j)', async (kind, name, repositories, changes) => {
    await expect(openKey(configuration(changes), name, repositories)).rejects.toMatchObject({ failure: { kind } });
  });

  test('of which none may sign in a repository verify nothing there', () => {
    expect(() => requirePublicKey(configuration(), 'quay.io/acme/records')).not.toThrow();
    expect(() => requirePublicKey(configuration(), 'quay.io/other')).toThrow(
      'the control worker has no public key to verify records of quay.io/other',
    );
  });

  test('a private key is no public key', async () => {
    await expect(readPublicKey(join(directory, 'plain.private'))).rejects.toMatchObject({
      failure: { kind: 'key-missing' },
    });
  });

  test('an unknown name is told with the known ones', () => {
    expect(() => allowedKey(configuration(), 'nope', [])).toThrow(
      'the sign worker has no key "nope"; it has "release"',
    );
  });
});

test('equal records are equal artifacts, whatever the order of their members', () => {
  const record: ReleaseRecord = {
    schemaVersion: 1,
    release: 'release/quay.io/acme/edge:v1',
    runId: 'run',
    status: 'released',
    image: { reference: NAME, digest: D, verified: true },
    disks: [],
    inputs: null,
    stages: [],
    failure: null,
  };
  const shuffled = Object.fromEntries(Object.entries(record).reverse()) as ReleaseRecord;
  expect(recordArtifact(shuffled)).toEqual(recordArtifact(record));
  expect(recordArtifact({ ...record, runId: 'other' }).layout.root).not.toEqual(recordArtifact(record).layout.root);
});
