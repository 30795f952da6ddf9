/** Signs bytes with a key of any kind. */
import { sign, type KeyObject } from 'node:crypto';
import { hashOf, type OpenedKey } from '../keys.ts';
import { signByKms } from './kms.ts';
import { unlockKey } from './private-key.ts';

/** Answers the signature of bytes (ASN.1, over their sha256, or over themselves by Ed25519). */
export type Signer = (bytes: Uint8Array) => Promise<Buffer>;

/** What signs with the key. A key in a file is opened once, when it is needed: that takes most of the time. */
export function signerOf(key: OpenedKey): Signer {
  if ('kms' in key) return (bytes) => signByKms(key.name, key.kms, bytes);
  let unlocked: Promise<KeyObject> | undefined;
  return async (bytes) => {
    const privateKey = await (unlocked ??= unlockKey(key));
    return sign(hashOf(privateKey), bytes, privateKey);
  };
}
