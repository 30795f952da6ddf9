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

it.each([
  ['the same', {}, DIGEST, null],
  ['other inputs', {}, OTHER_DIGEST, /differ/],
  ['a certificate that lasts', { certificateEnds: '2026-11-23T12:00:01.000Z' }, DIGEST, null],
  ['a certificate that has ended', { certificateEnds: '2026-11-23T12:00:00.000Z' }, DIGEST, /certificate .* ended/],
])('an earlier release is compared: %s', (_, image, imageInputs, difference) => {
  if (!made.ok) throw new Error('no request');
  const earlier = record({
    image: { reference: 'quay.io/acme/edge-camera:latest', digest: DIGEST, verified: true, ...image },
    inputs: { image: DIGEST, disks: {}, base: [], builder: null, context: DIGEST },
  });
  const resolved = { imageInputs, builder: null, builderConfig: null, existingTag: DIGEST };
  const found = differenceFrom(earlier, made.request, resolved, now);
  if (difference === null) expect(found).toBeNull();
  else expect(found).toMatch(difference);
});
