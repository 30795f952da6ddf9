/** Signs statements with a key of any kind. */
import { envelopeOf, signedBytes, type Envelope } from '../../../model/attestation/envelope.ts';
import type { OpenedKey } from '../keys.ts';
import { signerOf } from '../signing/signer.ts';

/** What puts a statement into an envelope that the key signed. A key in a file is opened once, when it is needed. */
export function statementSigner(key: OpenedKey): (statement: Uint8Array) => Promise<Envelope> {
  const sign = signerOf(key);
  return async (statement) => envelopeOf(statement, await sign(signedBytes(statement)));
}
