/** Signs statements, and tells whose statements envelopes are. */
import { sign, verify, type KeyObject } from 'node:crypto';
import { envelopeOf, parseEnvelope, signedBytes, type Envelope } from '../../../model/attestation/envelope.ts';

/** A statement in an envelope that the key signed. */
export function signStatement(statement: Uint8Array, privateKey: KeyObject): Envelope {
  return envelopeOf(statement, sign(hashOf(privateKey), signedBytes(statement), privateKey));
}

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

/** Ed25519 includes the hash. */
function hashOf(key: KeyObject): 'sha256' | null {
  return key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
}
