import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { signStatement, statementOf } from '../../../../../activities/trust/attest/signed-statement.ts';
import { signedBytes } from '../../../../../model/attestation/envelope.ts';

const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);
const statement = new TextEncoder().encode('{"_type":"x"}');
const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const theirs = generateKeyPairSync('ec', { namedCurve: 'P-256' });

describe('an envelope', () => {
  it('is signed over the type and the payload, as the DSSE protocol says', () => {
    expect(text(signedBytes(statement))).toBe('DSSEv1 28 application/vnd.in-toto+json 13 {"_type":"x"}');
  });

  it.each([
    ['P-256', ours],
    ['Ed25519', generateKeyPairSync('ed25519')],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ])('by a %s key gives the statement back to whoever knows that key', (_, { privateKey, publicKey }) => {
    const envelope = signStatement(statement, privateKey);
    expect(text(statementOf(envelope, publicKey))).toBe('{"_type":"x"}');
    expect(statementOf(envelope, theirs.publicKey)).toBeUndefined();
  });

  it.each([
    ['another payload', { payload: Buffer.from('{"_type":"y"}').toString('base64') }],
    ['another type', { payloadType: 'application/json' }],
    ['no signature', { signatures: [] }],
    ['a signature of something else', { signatures: [{ sig: 'AAAA' }] }],
  ])('with %s is nobody’s', (_, change) => {
    expect(statementOf({ ...signStatement(statement, ours.privateKey), ...change }, ours.publicKey)).toBeUndefined();
  });

  it('may have signatures of others beside ours', () => {
    const [a, b] = [signStatement(statement, theirs.privateKey), signStatement(statement, ours.privateKey)];
    const both = { ...a, signatures: [...a.signatures, ...b.signatures] };
    expect(text(statementOf(both, ours.publicKey))).toBe('{"_type":"x"}');
  });
});
