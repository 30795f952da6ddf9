/** What is known to be secret appears in no output, however it is spelt. The values stay known: each is of one test. */
import { expect, it, test } from 'vitest';
import { redact, registerSecret } from '../../../../../activities/tools/process/redact.ts';

it('blots out the longer of two values that begin alike', () => {
  registerSecret('abcd');
  registerSecret('abcd-very-long-secret');
  expect(redact('password abcd-very-long-secret used')).toBe('password [secret] used');
});

it('knows a value that is a URL with credentials, and one that has a slash', () => {
  registerSecret('https://bob:pw@hooks.example/x?token=TOPSECRET');
  expect(redact('POST https://bob:pw@hooks.example/x?token=TOPSECRET failed')).toBe('POST [secret] failed');
  registerSecret('p@ss/word-with-slash');
  expect(redact('https://bob:p@ss/word-with-slash@host/x')).toBe('https://[secret]@host/x');
});

const VALUE = 'q7&"Zw /+é{x}!';
const base64 = (text: string) => Buffer.from(text).toString('base64');

test.each([
  ['as it is', VALUE],
  ['in JSON', JSON.stringify({ token: VALUE })],
  ['in JSON in JSON', JSON.stringify({ message: JSON.stringify({ token: VALUE }) })],
  ['percent-encoded', encodeURIComponent(VALUE)],
  ['as a form', new URLSearchParams({ token: VALUE }).toString()],
  ['in lower-case digits', encodeURIComponent(VALUE).replace(/%../g, (one) => one.toLowerCase())],
  ['in base64', base64(VALUE)],
  ['in base64 for URLs', Buffer.from(`?${VALUE}`).toString('base64url')],
  ['in an authfile', JSON.stringify({ auths: { 'quay.io': { auth: base64(`bob:${VALUE}`) } } })],
  ...['', 'b', 'bo', 'bob:'].map((user) => [`in base64 after "${user}"`, base64(`${user}${VALUE}and more`)]),
])('a value is not left %s', (_, text) => {
  registerSecret(VALUE);
  const clean = redact(`before ${text} after`);
  expect(clean).toMatch(/^before .*\[secret\].* after$/);
  expect(clean).not.toContain('q7');
  // No part of its base64 that would give three bytes away.
  for (const skip of [0, 1, 2]) {
    const part = base64(VALUE.slice(skip)).slice(0, 4);
    expect(clean).not.toContain(part);
  }
});

it('leaves ordinary text alone', () => {
  registerSecret('another-secret-value');
  const text = 'STEP 3/7: RUN dnf -y install kernel-6.12.0-55.el10.x86_64 sha256:0123456789fedcba';
  expect(redact(text)).toBe(text);
});
