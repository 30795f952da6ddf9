/** Signs bytes with a key of any kind. */
import { sign, type KeyObject } from 'node:crypto';
import { hashOf, stampOf, type FileKey, type OpenedKey } from '../keys.ts';
import { signByKms } from './kms.ts';
import { unlockKey } from './private-key.ts';

/** Answers the signature of bytes (ASN.1, over their sha256, or over themselves by Ed25519). */
export type Signer = (bytes: Uint8Array) => Promise<Buffer>;

/** What signs with the key. */
export function signerOf(key: OpenedKey): Signer {
  if ('kms' in key) return (bytes) => signByKms(key.name, key.kms, bytes);
  return async (bytes) => {
    const privateKey = await openPrivateKey(key);
    return sign(hashOf(privateKey), bytes, privateKey);
  };
}

/** Milliseconds for which a key stays open after its last use: the end of a release signs disks, then the record. */
const OPEN_FOR = 60_000;

interface Open {
  key: Promise<KeyObject>;
  closing: NodeJS.Timeout;
}

/** Keys that are open, by their files. */
const open = new Map<string, Open>();

/** To unlock a key takes a quarter of a second of a processor, and nearly all of the time of a signature. */
async function openPrivateKey(key: FileKey): Promise<KeyObject> {
  const files = await stampOf(key);
  const known = open.get(files);
  clearTimeout(known?.closing);
  const now: Open = { key: known?.key ?? unlockKey(key), closing: setTimeout(() => open.delete(files), OPEN_FOR) };
  now.closing.unref();
  open.set(files, now);
  try {
    return await now.key;
  } catch (error) {
    if (open.get(files) === now) open.delete(files);
    throw error;
  }
}
