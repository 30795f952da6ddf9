/** Opens the private keys of `flightline keygen`, skopeo and cosign, to sign what skopeo cannot: attestations. */
import { createPrivateKey, scrypt, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';
import { z } from 'zod';
import { FlightlineError } from '../../../model/failure/failure.ts';
import type { FileKey } from '../keys.ts';

/** PEM of sigstore's key pairs (containers/image `signature/sigstore`, cosign `pkg/cosign/keys.go`), both names. */
const PEM =
  /-----BEGIN ENCRYPTED (COSIGN|SIGSTORE) PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+)-----END ENCRYPTED \1 PRIVATE KEY-----/;

/** The most that a key may cost to open: 1 GiB. Keys as they are made today take 64 MiB. */
const MAX_MEMORY = 1024 ** 3;

const Bytes = z.base64().transform((text) => Buffer.from(text, 'base64'));

/** secure-systems-lab's `encrypted` package: scrypt, then NaCl's secretbox. */
const EncryptedKey = z.object({
  kdf: z.object({
    name: z.literal('scrypt'),
    params: z.object({ N: z.int().min(2), r: z.int().min(1), p: z.int().min(1).max(16) }),
    salt: Bytes,
  }),
  cipher: z.object({ name: z.literal('nacl/secretbox'), nonce: Bytes }),
  ciphertext: Bytes,
});

/**
 * The private key in memory.
 *
 * @throws FlightlineError `key-missing` when the file is not such a key, `key-passphrase` when it does not open it
 */
export async function unlockKey(key: Pick<FileKey, 'name' | 'privateKey' | 'passphraseFile'>): Promise<KeyObject> {
  const encrypted = await readKey(key);
  const { kdf, cipher, ciphertext } = encrypted;
  const { N, r, p } = kdf.params;
  // As the programs that make keys do: the first line, without its end.
  const [passphrase = ''] = (await readFile(key.passphraseFile, 'utf8')).split('\n');
  let secret: Buffer;
  try {
    secret = await derive(passphrase, kdf.salt, 32, { N, r, p, maxmem: MAX_MEMORY });
  } catch (error) {
    throw unusable(key.name, (error as Error).message);
  }
  let plain: Uint8Array;
  try {
    plain = xsalsa20poly1305(secret, cipher.nonce).decrypt(ciphertext);
  } catch {
    throw new FlightlineError('key-passphrase', `the passphrase of the key "${key.name}" does not open it`);
  }
  try {
    return createPrivateKey({ key: Buffer.from(plain), format: 'der', type: 'pkcs8' });
  } catch (error) {
    throw unusable(key.name, (error as Error).message);
  } finally {
    secret.fill(0);
    plain.fill(0);
  }
}

const derive = promisify<string, Uint8Array, number, object, Buffer>(scrypt);

async function readKey({
  name,
  privateKey,
}: Pick<FileKey, 'name' | 'privateKey'>): Promise<z.infer<typeof EncryptedKey>> {
  const [, , body] = PEM.exec(await readFile(privateKey, 'utf8')) ?? [];
  if (body === undefined) throw unusable(name, 'it is no encrypted sigstore key');
  try {
    return EncryptedKey.parse(JSON.parse(Buffer.from(body, 'base64').toString('utf8')));
  } catch {
    // The parser's message would quote the file.
    throw unusable(name, 'it is encrypted in another way than sigstore keys are');
  }
}

function unusable(name: string, why: string): FlightlineError {
  return new FlightlineError('key-missing', `the private key of the key "${name}" cannot be used: ${why}`);
}
