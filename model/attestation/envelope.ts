/**
 * DSSE envelopes: a payload with its signatures.
 * https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
 */
import { z } from 'zod';

/** The type of a payload that is an in-toto statement. */
const STATEMENT_PAYLOAD = 'application/vnd.in-toto+json';

const Envelope = z.object({
  payloadType: z.literal(STATEMENT_PAYLOAD),
  payload: z.base64(),
  signatures: z.array(z.looseObject({ sig: z.base64() })).min(1),
});
export type Envelope = z.infer<typeof Envelope>;

/** An envelope around a statement, with one signature (as node:crypto makes it). */
export function envelopeOf(statement: Uint8Array, signature: Uint8Array): Envelope {
  return {
    payloadType: STATEMENT_PAYLOAD,
    payload: Buffer.from(statement).toString('base64'),
    signatures: [{ sig: Buffer.from(signature).toString('base64') }],
  };
}

/** Reads an envelope of a statement; undefined when the value is none. */
export function parseEnvelope(value: unknown): Envelope | undefined {
  return Envelope.safeParse(value).data;
}

/** What is signed: the pre-authentication encoding of the payload and its type. */
export function signedBytes(statement: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${STATEMENT_PAYLOAD.length} ${STATEMENT_PAYLOAD} ${statement.length} `;
  return Buffer.concat([Buffer.from(head), statement]);
}
