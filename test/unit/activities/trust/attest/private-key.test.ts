/** A real key of skopeo's opens in test/e2e/promotion.test.ts, where cosign accepts what it signs. */
import { generateKeyPairSync, scryptSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { unlockKey } from '../../../../../activities/trust/attest/private-key.ts';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const der = privateKey.export({ type: 'pkcs8', format: 'der' });
const SALT = Buffer.alloc(32, 1);
const NONCE = Buffer.alloc(24, 2);
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-key-test-'));
  await writeFile(join(directory, 'passphrase'), 'secret\nsecond line');
});
afterAll(() => rm(directory, { recursive: true }));

function encrypted({ word = 'COSIGN', N = 1024, plain = der as Uint8Array, kdf = 'scrypt' } = {}): string {
  const secret = scryptSync('secret', SALT, 32, { N: Math.min(N, 1024), r: 8, p: 1 });
  const ciphertext = Buffer.from(xsalsa20poly1305(secret, NONCE).encrypt(plain));
  const document = {
    kdf: { name: kdf, params: { N, r: 8, p: 1 }, salt: SALT.toString('base64') },
    cipher: { name: 'nacl/secretbox', nonce: NONCE.toString('base64') },
    ciphertext: ciphertext.toString('base64'),
  };
  const body = Buffer.from(JSON.stringify(document)).toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN ENCRYPTED ${word} PRIVATE KEY-----\n${body}\n-----END ENCRYPTED ${word} PRIVATE KEY-----\n`;
}

async function unlock(text: string, passphrase = 'passphrase') {
  await writeFile(join(directory, 'key'), text);
  await writeFile(join(directory, 'wrong'), 'another');
  const file = (name: string) => join(directory, name);
  return unlockKey({ name: 'release', privateKey: file('key'), passphraseFile: file(passphrase) });
}

it.each(['COSIGN', 'SIGSTORE'])(
  'a key with the word %s opens by the first line of its passphrase file',
  async (word) => {
    const opened = await unlock(encrypted({ word }));
    expect(opened.export({ type: 'pkcs8', format: 'der' }).equals(der)).toBe(true);
  },
);

it('another passphrase does not open it', async () => {
  await expect(unlock(encrypted(), 'wrong')).rejects.toMatchObject({ failure: { kind: 'key-passphrase' } });
});

it.each([
  ['a plain key', String(privateKey.export({ type: 'pkcs8', format: 'pem' })), 'it is no encrypted sigstore key'],
  ['another derivation', encrypted({ kdf: 'argon2' }), 'it is encrypted in another way than sigstore keys are'],
  ['a costly derivation', encrypted({ N: 2 ** 30 }), /memory limit/i],
  ['no key inside', encrypted({ plain: Buffer.from('nothing') }), /cannot be used/],
])('%s is refused, and the message does not quote it', async (_, text, message) => {
  const refused = await unlock(text).catch((error: unknown) => error);
  expect(refused).toMatchObject({ failure: { kind: 'key-missing' } });
  expect((refused as Error).message).toMatch(message);
  expect((refused as Error).message).not.toContain('kdf');
});
