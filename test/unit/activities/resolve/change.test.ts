/** The decision of `rebuild: when-changed`, as a table. */
import { describe, expect, it, test } from 'vitest';
import {
  changeSince,
  inputParts,
  isTooOld,
  lastTags,
  reasonOf,
  recordedReason,
  type Current,
} from '../../../../activities/resolve/change.ts';
import { FlightlineSpec } from '../../../../model/spec/flightline-spec.ts';
import type { ReleaseRecord } from '../../../../model/release/record.ts';
import { makeRequest, type ContextSource, type ReleaseRequest } from '../../../../model/spec/request.ts';
import { DIGEST, OTHER_DIGEST, record, row } from '../../client/view/record.ts';

const REPOSITORY = 'quay.io/acme/edge-camera';
const BASE = { reference: 'quay.io/centos-bootc/centos-bootc:stream9', digest: DIGEST };
const BUILDER = { reference: 'quay.io/centos-bootc/bootc-image-builder:latest', digest: DIGEST };
const NOW = new Date('2026-11-23T02:00:00Z');
const CONFIG = { format: 'toml' as const, digest: DIGEST };
const A = 'a'.repeat(40);
const B = 'b'.repeat(40);

function requestOf(more: object = {}, context: ContextSource = { kind: 'artifact', digest: DIGEST }): ReleaseRequest {
  const spec = FlightlineSpec.parse({
    name: 'edge',
    image: { repository: REPOSITORY, tag: 'n-{{date}}' },
    signing: { key: 'release' },
    disks: [{ type: 'qcow2' }],
    rebuild: 'when-changed',
    ...more,
  });
  const made = makeRequest(spec, { context, commit: undefined, date: '20261123', source: null });
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  return made.request;
}

function gitAt(ref: string, url = 'https://git.example.com/edge.git'): ContextSource {
  return { kind: 'git', url, ref, subdirectory: '.', containerfile: 'Containerfile', builderConfig: null };
}

const context = { files: DIGEST, builderConfig: CONFIG };

function current(request = requestOf(), more: Partial<Current> = {}): Current {
  return { request, parts: inputParts(request, context), context: DIGEST, bases: [BASE], builder: BUILDER, ...more };
}

/** The record of a release of these inputs, three days ago, under the tag of that day. */
function recordOf({ request, parts, bases, builder }: Current, image: object = {}): ReleaseRecord {
  const reference = `${REPOSITORY}:n-20261120`;
  return record({
    status: 'released',
    image: { reference, digest: DIGEST, verified: true, ...image },
    disks: request.disks.map(({ type, publish, repository }) => ({
      type,
      form: publish,
      reference: `${repository}:n-20261120`,
      digest: DIGEST,
      verified: true,
      file: null,
    })),
    inputs: { image: DIGEST, disks: {}, base: [...bases], builder, context: DIGEST, parts },
    stages: [row('build', 'image', { status: 'done', startedAt: '2026-11-20T02:00:00.000Z' })],
  });
}

const DAY = 86_400_000;
const changed = (request: ReleaseRequest, more: Partial<Current> = {}) => current(request, more);

describe('compared with the last release', () => {
  it.each<[string, Current, Current, { image?: RegExp; disks?: RegExp }]>([
    ['the same', current(), current(), {}],
    ['the same commit', current(requestOf({}, gitAt(A))), current(requestOf({}, gitAt(A))), {}],
    [
      'another commit',
      current(requestOf({}, gitAt(A))),
      current(requestOf({}, gitAt(B))),
      { image: /^commit a{12} → b{12}$/ },
    ],
    [
      'another git repository',
      current(requestOf({}, gitAt(A))),
      current(requestOf({}, gitAt(A, 'https://git.example.com/other.git'))),
      { image: /^the context comes from another place$/ },
    ],
    ['a directory in the place of git', current(requestOf({}, gitAt(A))), current(), { image: /another place/ }],
    [
      'another context',
      current(),
      current(requestOf(), {
        parts: inputParts(requestOf(), { ...context, files: OTHER_DIGEST }),
        context: OTHER_DIGEST,
      }),
      { image: /^context sha256:a{12} → sha256:b{12}$/ },
    ],
    [
      'another base',
      current(),
      changed(requestOf(), { bases: [{ ...BASE, digest: OTHER_DIGEST }] }),
      { image: /^base quay.io\/centos-bootc\/centos-bootc:stream9 sha256:a{12} → sha256:b{12}$/ },
    ],
    [
      'other build arguments',
      current(),
      current(requestOf({ image: { repository: REPOSITORY, tag: 'n-{{date}}', buildArgs: { A: '1' } } })),
      { image: /^build arguments/ },
    ],
    ['verification', current(), current(requestOf({ verification: 'bake' })), { image: /verification/ }],
    [
      'another builder',
      current(),
      changed(requestOf(), { builder: { ...BUILDER, digest: OTHER_DIGEST } }),
      { disks: /^builder \S+:latest sha256:a{12} → sha256:b{12}$/ },
    ],
    [
      'a builder of another name',
      current(),
      changed(requestOf(), { builder: { reference: 'quay.io/acme/builder:1', digest: DIGEST } }),
      { disks: /^builder \S+bootc-image-builder:latest → quay.io\/acme\/builder:1$/ },
    ],
    [
      'another builder configuration',
      current(),
      current(requestOf(), { parts: inputParts(requestOf(), { ...context, builderConfig: null }) }),
      { disks: /^builder.config differs$/ },
    ],
    [
      'another disk',
      current(),
      current(requestOf({ disks: [{ type: 'qcow2' }, { type: 'raw' }] })),
      { disks: /^the disks/ },
    ],
    [
      'another compression',
      current(),
      current(requestOf({ disks: [{ type: 'qcow2', compress: 'zstd' }] })),
      { disks: /^the disks/ },
    ],
    ['no disks, before and now', current(requestOf({ disks: [] })), current(requestOf({ disks: [] })), {}],
    ['too young', current(), current(requestOf({ maxAge: '4d' })), {}],
    ['too old', current(), current(requestOf({ maxAge: '3d' })), { image: /^the image is 3d old \(maxAge 3d\)$/ }],
  ])('%s', (_, before, now, { image, disks }) => {
    const found = changeSince(recordOf(before), now, NOW);
    expect(found.image.join('; ')).toMatch(image ?? /^$/);
    expect(found.disks.join('; ')).toMatch(disks ?? /^$/);
  });

  it('a certificate in the image that has ended is a reason', () => {
    const ends = { certificateEnds: '2026-11-22T00:00:00.000Z' };
    expect(changeSince(recordOf(current(), ends), current(), NOW).image).toEqual([
      'the enrollment certificate in the image ended on 2026-11-22T00:00:00.000Z',
    ]);
  });

  it('an image that was taken over is as old as its own build', () => {
    const old = recordOf(current(), { builtAt: '2026-11-01T00:00:00.000Z' });
    expect(isTooOld(old, 4 * DAY, NOW)).toBe(true);
    expect(isTooOld(recordOf(current()), 4 * DAY, NOW)).toBe(false);
    expect(isTooOld(recordOf(current()), null, NOW)).toBe(false);
  });

  it('a record of an earlier version says too little', () => {
    const whole = recordOf(current());
    const { parts, ...inputs } = whole.inputs!;
    expect(parts).toBeDefined();
    expect(changeSince({ ...whole, inputs }, current(), NOW).image).toEqual([
      'the last record is of an earlier version of flightline',
    ]);
  });
});

test.each([
  [['nightly', 'latest'], 'n-1', ['nightly', 'n-1', 'n-2']],
  [[], null, ['n-2']],
  [['n-1'], 'n-1', ['n-1', 'n-2']],
])('the record is looked for under %j and %j', (alsoTag, last, tags) => {
  expect(lastTags({ tag: 'n-2', alsoTag, rebuild: { maxAge: null, last } })).toEqual(tags);
});

test('a long reason is cut', () => {
  const reason = reasonOf(Array.from({ length: 40 }, (_, index) => `base image-${index} sha256:a → sha256:b`));
  expect(reason).toHaveLength(600);
  expect(reason.endsWith('…')).toBe(true);
  expect(recordedReason(reason)).toHaveLength(200);
  expect(recordedReason('commit a → b')).toBe('commit a → b');
});
