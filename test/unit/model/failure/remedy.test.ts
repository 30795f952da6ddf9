/** Every kind of failure at every place where it may be shown: what is said there can be done there. */
import { describe, expect, it, test } from 'vitest';
import { failureOf } from '../../../../model/failure/failure.ts';
import { FAILURE_KINDS, FAILURES } from '../../../../model/failure/failures.ts';
import { PLACES, placeOf } from '../../../../model/failure/remedy.ts';
import { remedyText } from '../../../../model/failure/remedy-text.ts';

const NAME = 'quay.io/acme/edge:v1';

/** What the client does itself: it has no worker, and its machine is the user's. */
const OF_CLIENT = [
  'context-invalid',
  'containerfile-invalid',
  'image-not-found',
  'registry-login',
  'registry-denied',
  'key-missing',
  'key-passphrase',
  'signature-rejected',
  'tag-moved',
  'host-setup',
  'stalled',
  'registry',
  'disk-full',
  'unexpected',
] as const;

it.each(OF_CLIENT)('%s of the client sends nobody to a worker', (kind) =>
  expect(remedyText(failureOf(kind, 'x'), 'client', NAME)).not.toMatch(/worker|\bhost\b|operator|flightline retry/),
);

test('what was said of one failure is not lost for what is usual at the place', () => {
  const failure = failureOf('registry-denied', 'x', { remedy: 'make the repository in the registry' });
  expect(remedyText(failure, 'client')).toBe('make the repository in the registry, then run the command again');
});

describe.each(PLACES)('at the place "%s"', (place) => {
  it.each(FAILURE_KINDS)('%s has words that fit', (kind) => {
    const text = remedyText(failureOf(kind, 'it failed'), place, NAME);
    expect(text.length).toBeGreaterThan(10);
    expect(text).not.toMatch(/\bRELEASE\b|undefined|\bthen .*\bthen\b|, then .*, then|[.;,]$/);
    if (place !== 'held branch') expect(text).not.toContain('flightline retry');
    if (place === 'promotion') expect(text).not.toMatch(/release again|\bbuilds\b|run the command/);
    if (place === 'client') expect(text).not.toMatch(/worker's authfile|worker's log|release again|promotion/);
    if (place === 'ended release') expect(text).not.toMatch(/promotion again|run the command/);
  });
});

it.each(FAILURE_KINDS.filter((kind) => FAILURES[kind].disposition !== 'fail' && FAILURES[kind].then !== null))(
  'a branch that is held by %s is told how it goes on',
  (kind) => expect(remedyText(failureOf(kind, 'x'), 'held branch', NAME)).toContain(`\`flightline retry ${NAME}`),
);

test.each([
  ['held branch', 'fix the Containerfile, then `flightline retry quay.io/acme/edge:v1 --spec flightline.yaml`'],
  ['ended release', 'fix the Containerfile, then start the release again'],
  ['promotion', 'fix the Containerfile, then start the promotion again'],
  ['request', 'fix the Containerfile, then run the command again'],
] as const)('the next step is said for the place "%s"', (place, text) =>
  expect(remedyText(failureOf('containerfile', 'x'), place, NAME)).toBe(text),
);

test('another action keeps the next step of its kind, and a whole remedy brings its own', () => {
  const other = failureOf('host-setup', 'x', { remedy: 'install zstd' });
  expect(remedyText(other, placeOf('held'), NAME)).toBe(`install zstd, then \`flightline retry ${NAME}\``);
  expect(remedyText(other, placeOf('failed'), NAME)).toBe('install zstd, then start the release again');
  const whole = failureOf('invalid-input', 'x', {
    remedy: { action: 'look at `flightline status RELEASE`', then: null },
  });
  expect(remedyText(whole, 'request', NAME)).toBe(`look at \`flightline status ${NAME}\``);
});
