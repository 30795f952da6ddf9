import { describe, expect, test } from 'vitest';
import { CommandError } from '../../../../../activities/tools/process/command.ts';
import {
  intoRegistry,
  plainText,
  registryError,
  classifyRegistry,
} from '../../../../../activities/tools/registry/classify.ts';
import type { FlightlineError } from '../../../../../model/failure/failure.ts';

/** What skopeo 1.18 printed, each provoked on a real or refusing registry. */
const TEXTS: readonly [kind: string | undefined, text: string][] = [
  ['image-not-found', 'initializing source docker://r/t:nope: reading manifest nope in r/t: manifest unknown'],
  ['image-not-found', 'reading manifest v1 in r/a/b: StatusCode: 404, \\"\\"'],
  ['image-not-found', 'reading manifest v1 in r/a/b: name unknown: repository name not known to registry'],
  [
    'registry',
    'pinging container registry r: Get \\"http://r/v2/\\": dial tcp 127.0.0.1:1: connect: connection refused',
  ],
  [
    'registry',
    'pinging container registry r: Get \\"https://r/v2/\\": dial tcp: lookup r on 10.0.0.1:53: no such host',
  ],
  ['registry', 'reading manifest v1 in r/a/b: toomanyrequests: slow down'],
  ['registry', 'checking whether a blob sha256:00 exists in r/a/b: StatusCode: 429, \\"\\"'],
  ['registry', 'reading manifest v1 in r/a/b: received unexpected HTTP status: 503 Service Unavailable'],
  ['registry', 'Get \\"http://r/v2/a/b/manifests/v1\\": EOF'],
  ['registry', 'Requesting bearer token: invalid status code from registry 503 (Service Unavailable)'],
  ['image-not-found', 'reading manifest v1 in r/a/b: received unexpected HTTP status: 404 Not Found'],
  ['registry', 'writing blob: initiating layer upload to /v2/a/b/blobs/uploads/ in r: unsupported'],
  ['host-setup', 'Get \\"https://r/v2/\\": http: server gave HTTP response to HTTPS client'],
  ['host-setup', 'tls: failed to verify certificate: x509: certificate signed by unknown authority'],
  ['registry-login', 'reading manifest v1 in r/a/b: unauthorized'],
  ['registry-login', 'checking whether a blob sha256:00 exists in r/a/b: authentication required'],
  ['registry-login', 'unable to retrieve auth token: invalid username/password: unauthorized: bad creds'],
  ['registry-denied', 'Requesting bearer token: invalid status code from registry 403 (Forbidden)'],
  ['registry-denied', 'reading manifest v1 in r/a/b: requested access to the resource is denied'],
  ['registry-denied', 'reading manifest v1 in r/a/b: denied'],
  ['registry-denied', 'checking whether a blob sha256:00 exists in r/a/b: StatusCode: 403, \\"\\"'],
  ['key-passphrase', 'initializing private key: decrypt: encrypted: decryption failed'],
  ['key-missing', 'reading private key from k: open k: no such file or directory'],
  ['key-missing', 'initializing private key: invalid pem block'],
  ['key-missing', 'Source image rejected: open /k.pub: no such file or directory'],
  ['key-missing', 'Source image rejected: parsing public key 1: PEM decoding failed'],
  ['signature-rejected', 'Source image rejected: A signature was required, but no signature exists'],
  ['signature-rejected', 'Source image rejected: Signature for identity \\"r/a:v1\\" is not accepted'],
  ['signature-rejected', 'Source image rejected: Running image docker://r/a@sha256:00 is rejected by policy.'],
  [
    'signature-rejected',
    'Source image rejected: cryptographic signature verification failed: invalid signature when validating ' +
      'ASN.1 encoded signature',
  ],
  ['host-setup', 'Cannot write signatures: writing sigstore attachments is disabled by configuration'],
  ['disk-full', 'writing blob: write /tmp/x: no space left on device'],
  ['registry', 'Source image rejected: fetching blob: received unexpected HTTP status: 503 Service Unavailable'],
  ['registry-login', 'Source image rejected: reading manifest sha256-00.sig in r/a: authentication required'],
  ['image-not-found', 'reading manifest v1 in r/acme/unauthorized/denied: manifest unknown'],
  ['signature-rejected', 'Source image rejected: Signature for identity \\"r/unauthorized:v1\\" is not accepted'],
  [undefined, 'open /tmp/x: permission denied'],
  [undefined, 'unknown flag: --frobnicate'],
];

describe('classifyRegistry', () => {
  test.each(TEXTS)('%s: %s', (kind, text) => {
    expect(classifyRegistry(`time="2026-01-01T00:00:00Z" level=fatal msg="${text}"\n`)?.kind).toBe(kind);
  });
});

describe('registryError', () => {
  const facts = { exitCode: 1, signal: null, timedOut: false, notFound: false, stdout: '', stderr: '' };
  const failing = (changes: Partial<typeof facts>) =>
    registryError(new CommandError('skopeo', { ...facts, ...changes }), 'copying a to b') as FlightlineError;

  test('says what failed and why, without the log line around it', () => {
    const stderr =
      'Getting image source signatures\ntime="…" level=fatal msg="reading \\"v1\\" in r/a/b: unauthorized"\n';
    expect(failing({ stderr }).failure).toMatchObject({
      kind: 'registry-login',
      message: 'copying a to b failed: reading "v1" in r/a/b: unauthorized',
    });
  });

  test.each([
    ['host-setup', { notFound: true }],
    ['registry', { timedOut: true, stderr: 'unauthorized' }],
    ['unexpected', { stderr: 'whatever' }],
  ])('is %s', (kind, changes) => {
    expect(failing(changes).failure.kind).toBe(kind);
  });

  test.each([
    ['disk-vanished', 'registry', 'manifest unknown'],
    ['registry', 'host', 'writing blob: StatusCode: 404, "404 page not found"'],
    ['registry-denied', 'host', 'denied'],
  ] as const)('is %s for what goes into a registry from a %s: %s', (kind, from, stderr) => {
    expect((intoRegistry(failing({ stderr }), from) as FlightlineError).failure.kind).toBe(kind);
  });

  test('leaves other errors as they are', () => {
    const error = new TypeError('a bug');
    expect(registryError(error, 'copying')).toBe(error);
  });
});

test('plainText finds the sentence of podman too', () => {
  expect(plainText('Trying to pull r/a:v1...\nError: initializing source docker://r/a:v1: EOF\n')).toContain('EOF');
});
