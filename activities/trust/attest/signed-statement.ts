/** Tells whose statements envelopes are. */
import { verify, type KeyObject } from 'node:crypto';
import { parseEnvelope, signedBytes } from '../../../model/attestation/envelope.ts';
import { hashOf } from '../keys.ts';

/** The bytes of the statement in an envelope; undefined unless the key signed it. */
export function statementOf(envelope: unknown, publicKey: KeyObject): Uint8Array | undefined {
  const parsed = parseEnvelope(envelope);
  if (!parsed) return undefined;
  const statement = Buffer.from(parsed.payload, 'base64');
  const signed = signedBytes(statement);
  const isOurs = parsed.signatures.some(({ sig }) => isSignedBy(publicKey, signed, Buffer.from(sig, 'base64')));
  return isOurs ? statement : undefined;
}

function isSignedBy(publicKey: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(hashOf(publicKey), bytes, publicKey, signature);
  } catch {
    // It is no signature of such a key.
    return false;
  }
}
