/** Signs statements with a key of any kind. */
import type { KeyObject } from 'node:crypto';
import { envelopeOf, signedBytes, type Envelope } from '../../../model/attestation/envelope.ts';
import type { OpenedKey } from '../keys.ts';
import { signBytes } from '../kms/sign-bytes.ts';
import { unlockKey } from './private-key.ts';
import { signStatement } from './signed-statement.ts';

/** What puts a statement into an envelope that the key signed. A key in a file is opened once, when it is needed. */
export function statementSigner(key: OpenedKey): (statement: Uint8Array) => Promise<Envelope> {
  if ('kms' in key) {
    return async (statement) => envelopeOf(statement, await signBytes(key.name, key.kms, signedBytes(statement)));
  }
  let unlocked: Promise<KeyObject> | undefined;
  return async (statement) => signStatement(statement, await (unlocked ??= unlockKey(key)));
}
