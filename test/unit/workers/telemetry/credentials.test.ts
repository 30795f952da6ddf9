/** Until when a worker's credentials for Temporal hold. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { credentialEnds } from '../../../../workers/telemetry/credentials.ts';
import { certificates } from '../../../support/certificates.ts';

const tokenWith = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`;
const NONE = { 'temporal-certificate': null, 'temporal-key': null };

it.each([
  ['nothing is given', {}, NONE],
  ['TLS without a certificate of its own', { tls: true }, NONE],
  ['a token', { apiKey: tokenWith({ exp: 1_800_000_000 }) }, { ...NONE, 'temporal-key': new Date(1_800_000_000_000) }],
  ['a token that never ends', { apiKey: tokenWith({ sub: 'me' }) }, NONE],
  ['a key that is no token', { apiKey: 'a-secret.word' }, NONE],
  ['what is no certificate', { tls: { clientCertPair: { crt: Buffer.from('-'), key: Buffer.from('-') } } }, NONE],
])('%s', (_, options, ends) => expect(credentialEnds(options)).toEqual(ends));

it('a certificate', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-credentials-'));
  try {
    const made = (await certificates(join(directory, 'made'), ['worker'])).of('worker');
    const [crt, key] = [await readFile(made.certificate), await readFile(made.key)];
    const end = credentialEnds({ tls: { clientCertPair: { crt, key } } })['temporal-certificate'];
    // It was made for two days.
    expect(end!.getTime() - Date.now()).toBeGreaterThan(47 * 60 * 60_000);
    expect(end!.getTime() - Date.now()).toBeLessThan(49 * 60 * 60_000);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
