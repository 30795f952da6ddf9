import { expect, it } from 'vitest';
import { differenceFrom } from '../../../../activities/resolve/resolve.ts';
import { makeRequest } from '../../../../model/spec/request.ts';
import { FlightlineSpec } from '../../../../model/spec/flightline-spec.ts';
import { DIGEST, OTHER_DIGEST, record } from '../../client/view/record.ts';

const made = makeRequest(
  FlightlineSpec.parse({
    name: 'edge',
    image: { repository: 'quay.io/acme/edge-camera' },
    signing: { key: 'release' },
  }),
  { context: { kind: 'artifact', digest: DIGEST }, commit: undefined, date: '20261123', source: null },
);
const now = new Date('2026-11-23T12:00:00Z');

const NAME = 'quay.io/acme/base:1';
const short = (digit: string) => digit.repeat(16);
const parts = { files: short('a'), settings: short('b'), disks: short('c'), config: null, place: null, commit: null };
const base = [{ reference: NAME, digest: DIGEST }];
const same = { parts, bases: base };

it.each([
  ['the same', {}, same, null],
  [
    'more that is foreseen than podman used',
    {},
    { parts, bases: [...base, { ...base[0]!, reference: 'r.io/x:1' }] },
    null,
  ],
  ['other files', {}, { ...same, parts: { ...parts, files: short('d') } }, /context or Containerfile differ/],
  ['other arguments', {}, { ...same, parts: { ...parts, settings: short('d') } }, /build arguments/],
  [
    'another base',
    {},
    { parts, bases: [{ reference: NAME, digest: OTHER_DIGEST }] },
    /base quay\.io\/acme\/base:1 .* → /,
  ],
  ['a base that is gone', {}, { parts, bases: [] }, /base quay\.io\/acme\/base:1 is gone/],
  ['a certificate that lasts', { certificateEnds: '2026-11-23T12:00:01.000Z' }, same, null],
  ['a certificate that has ended', { certificateEnds: '2026-11-23T12:00:00.000Z' }, same, /certificate .* ended/],
])('an earlier release is compared: %s', (_, image, current, difference) => {
  if (!made.ok) throw new Error('no request');
  const earlier = record({
    image: { reference: 'quay.io/acme/edge-camera:latest', digest: DIGEST, verified: true, ...image },
    inputs: { image: DIGEST, disks: {}, base, builder: null, context: DIGEST, parts },
  });
  const resolved = { ...current, builder: null, builderConfig: null, existingTag: DIGEST };
  const found = differenceFrom(earlier, made.request, resolved, now);
  if (difference === null) expect(found).toBeNull();
  else expect(found).toMatch(difference);
});
