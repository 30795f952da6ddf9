/** The decision of `rebuild: when-changed`, as a table. */
import { describe, expect, it, test } from 'vitest';
import { changeSince, inputParts, isTooOld, type Current } from '../../../../activities/resolve/change.ts';
import { lastTags } from '../../../../activities/resolve/last-release.ts';
import type { RecordedGate } from '../../../../model/gate/gate.ts';
import { FlightlineSpec } from '../../../../model/spec/flightline-spec.ts';
import type { ReleaseRecord } from '../../../../model/release/record.ts';
import type { ContextSource, ReleaseRequest } from '../../../../model/spec/request.ts';
import { makeRequest } from '../../../../model/spec/make-request.ts';
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
  const made = makeRequest(spec, {
    context,
    commit: undefined,
    date: '20261123',
    source: null,
    spec: `sha256:${'0'.repeat(64)}`,
  });
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  return made.request;
}

function gitAt(ref: string, url = 'https://git.example.com/edge.git'): ContextSource {
  return { kind: 'git', url, ref, subdirectory: '.', containerfile: 'Containerfile', builderConfig: null };
}

const context = { files: DIGEST, builderConfig: CONFIG };

function current(request = requestOf(), more: Partial<Current> = {}): Current {
  return {
    request,
    parts: inputParts(request, context),
    context: DIGEST,
    bases: [BASE],
    builder: BUILDER,
    approval: false,
    ...more,
  };
}

/** The record of a release of these inputs, three days ago, under the tag of that day. */
function recordOf({ request, parts, bases, builder, installer, gates }: Current, image: object = {}): ReleaseRecord {
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
      updateFrom: `${REPOSITORY}:${request.updateFrom === request.tag ? 'n-20261120' : request.updateFrom}`,
      file: null,
    })),
    inputs: {
      image: DIGEST,
      disks: {},
      base: [...bases],
      builder,
      installer,
      context: DIGEST,
      parts,
      ...(gates && { gates: [...gates] }),
    },
    stages: [row('build', 'image', { status: 'done', startedAt: '2026-11-20T02:00:00.000Z' })],
  });
}

const LICENCES = { name: 'licences', on: 'image', reference: 'quay.io/acme/g:1', digest: DIGEST } as const;
const gated = (more: Partial<RecordedGate>) => ({ gates: [{ ...LICENCES, arguments: '0'.repeat(16), ...more }] });
const DAY = 86_400_000;
const changed = (request: ReleaseRequest, more: Partial<Current> = {}) => current(request, more);

/** What is made again, by subject; what would be replaced is marked with an exclamation mark. */
const found = (before: ReleaseRecord, now: Current) =>
  changeSince(before, now, NOW).map(({ subject, reason, replaces }) => `${subject}${replaces ? '!' : ''}: ${reason}`);
const forBoth = (amd64: string, arm64: string) => [
  { ...BASE, platform: 'amd64' as const, manifest: amd64 },
  { ...BASE, platform: 'arm64' as const, manifest: arm64 },
];
const disks = (...types: object[]) => requestOf({ disks: types });
const qcow2 = { type: 'qcow2' };
const followed = (image: object) => requestOf({ image: { repository: REPOSITORY, tag: 'n-{{date}}', ...image } });
const installs = (tag: string) => ({ type: 'bootc-installer', installer: { image: `quay.io/acme/i:${tag}` } });
const both = [qcow2, { type: 'vmdk' }];
const boot = (expected: string, more: object = {}) =>
  requestOf({ bootTest: { disk: 'qcow2', expect: expected, ...more } });

describe('compared with an earlier release', () => {
  it.each<[string, Current, Current, RegExp[]]>([
    ['the same', current(), current(), []],
    ['the same commit', current(requestOf({}, gitAt(A))), current(requestOf({}, gitAt(A))), []],
    [
      'another commit',
      current(requestOf({}, gitAt(A))),
      current(requestOf({}, gitAt(B))),
      [/^image!: commit a{12} → b{12}$/],
    ],
    [
      'another git repository',
      current(requestOf({}, gitAt(A))),
      current(requestOf({}, gitAt(A, 'https://git.example.com/other.git'))),
      [/^image!: the context comes from another place$/],
    ],
    ['a directory in the place of git', current(requestOf({}, gitAt(A))), current(), [/^image!: .* another place/]],
    [
      'another context',
      current(),
      current(requestOf(), {
        parts: inputParts(requestOf(), { ...context, files: OTHER_DIGEST }),
        context: OTHER_DIGEST,
      }),
      [/^image!: context sha256:a{12} → sha256:b{12}$/],
    ],
    [
      'another tag that machines follow',
      current(followed({ alsoTag: ['nightly'] })),
      current(followed({ alsoTag: ['nightly'], updateFrom: 'stable' })),
      [/^qcow2!: machines of disk qcow2 would follow \S+:stable, not \S+:nightly$/],
    ],
    [
      'another compression of the layers',
      current(followed({})),
      current(followed({ compression: 'zstd' })),
      [/^image!: .* or other settings differ$/],
    ],
    ['its own tag, which is another each time', current(followed({})), current(followed({})), []],
    [
      'another base',
      current(),
      changed(requestOf(), { bases: [{ ...BASE, digest: OTHER_DIGEST }] }),
      [/^image!: base quay.io\/centos-bootc\/centos-bootc:stream9 sha256:a{12} → sha256:b{12}$/],
    ],
    [
      'a base that is another for other platforms only',
      changed(requestOf(), { bases: [{ ...BASE, manifest: DIGEST }] }),
      changed(requestOf(), { bases: [{ ...BASE, digest: OTHER_DIGEST, manifest: DIGEST }] }),
      [],
    ],
    [
      'a base that is another for this platform',
      changed(requestOf(), { bases: [{ ...BASE, manifest: DIGEST }] }),
      changed(requestOf(), { bases: [{ ...BASE, digest: OTHER_DIGEST, manifest: OTHER_DIGEST }] }),
      [/^image!: base quay.io\/centos-bootc\/centos-bootc:stream9 sha256:a{12} → sha256:b{12}$/],
    ],
    [
      'a base that is another for one of two platforms',
      changed(requestOf(), { bases: forBoth(DIGEST, DIGEST) }),
      changed(requestOf(), { bases: forBoth(DIGEST, OTHER_DIGEST) }),
      [/^image!: base quay.io\/centos-bootc\/centos-bootc:stream9 for linux\/arm64 sha256:a{12} → sha256:b{12}$/],
    ],
    ['a base that is gone', current(), changed(requestOf(), { bases: [] }), [/^image!: base \S+:stream9 is gone$/]],
    [
      'more bases that are foreseen than podman used',
      current(),
      changed(requestOf(), { bases: [BASE, { reference: 'r.io/x:1', digest: DIGEST }] }),
      [],
    ],
    [
      'other build arguments',
      current(),
      current(requestOf({ image: { repository: REPOSITORY, tag: 'n-{{date}}', buildArgs: { A: '1' } } })),
      [/^image!: build arguments/],
    ],
    ['verification', current(), current(requestOf({ verification: 'bake' })), [/^image!: .*verification/]],
    [
      'another builder',
      current(),
      changed(requestOf(), { builder: { ...BUILDER, digest: OTHER_DIGEST } }),
      [/^qcow2!: builder \S+:latest sha256:a{12} → sha256:b{12}$/],
    ],
    [
      'a builder of another name',
      current(),
      changed(requestOf(), { builder: { reference: 'quay.io/acme/builder:1', digest: DIGEST } }),
      [/^qcow2!: builder \S+bootc-image-builder:latest → quay.io\/acme\/builder:1$/],
    ],
    [
      'another builder configuration',
      current(),
      current(requestOf(), { parts: inputParts(requestOf(), { ...context, builderConfig: null }) }),
      [/^qcow2!: builder.config differs$/],
    ],
    [
      'a newer installer',
      current(disks(installs('1')), { installer: { reference: 'quay.io/acme/i:1', digest: DIGEST } }),
      current(disks(installs('1')), { installer: { reference: 'quay.io/acme/i:1', digest: OTHER_DIGEST } }),
      [/^bootc-installer!: installer quay.io\/acme\/i:1 sha256:a{12} → sha256:b{12}$/],
    ],
    [
      'another installer',
      current(disks(installs('1')), { installer: { reference: 'quay.io/acme/i:1', digest: DIGEST } }),
      current(disks(installs('2')), { installer: { reference: 'quay.io/acme/i:2', digest: DIGEST } }),
      [/^bootc-installer!: form.*installer/],
    ],
    ['another disk', current(disks(qcow2)), current(disks(...both)), [/^vmdk: disk vmdk is new$/]],
    ['a disk less', current(disks(...both)), current(disks(qcow2)), [/^release!: disk vmdk is no longer asked for$/]],
    [
      'another compression, of one disk',
      current(disks(...both)),
      current(disks({ type: 'qcow2', compress: 'zstd' }, { type: 'vmdk' })),
      [/^qcow2!: form, compression, root file system, installer or builder arguments of disk qcow2 differ$/],
    ],
    [
      'a container disk',
      current(disks(qcow2)),
      current(disks({ ...qcow2, publish: 'container-disk' })),
      [/^qcow2!: form/],
    ],
    ['another root file system', current(), current(requestOf({ builder: { rootfs: 'xfs' } })), [/^qcow2!: form/]],
    ['a seed', current(), current(requestOf({ builder: { arguments: { seed: 1 } } })), [/^qcow2!: form.*arguments/]],
    [
      'another repository of a disk',
      current(),
      current(requestOf({ repositories: { disk: '{{repository}}/disks/{{type}}' } })),
      [/^qcow2: disk qcow2 goes to quay.io\/acme\/edge-camera\/disks\/qcow2$/],
    ],
    ['the same gate', current(requestOf(), gated({})), current(requestOf(), gated({})), []],
    ['a gate', current(), current(requestOf(), gated({})), [/^image!: gate licences is new$/]],
    ['a gate less', current(requestOf(), gated({})), current(), [/^image!: gate licences is gone$/]],
    [
      'a gate whose name points at another image',
      current(requestOf(), gated({})),
      current(requestOf(), gated({ digest: OTHER_DIGEST })),
      [/^image!: gate licences: sha256:a{12} → sha256:b{12}$/],
    ],
    [
      'such a gate on disks',
      current(disks(...both), gated({ on: 'disk' })),
      current(disks(...both), gated({ on: 'disk', digest: OTHER_DIGEST })),
      ['qcow2', 'vmdk'].map((type) => new RegExp(`^${type}!: gate licences: sha256:a{12} → sha256:b{12}$`)),
    ],
    [
      'other arguments of a gate, and a network',
      current(requestOf(), gated({})),
      current(requestOf(), gated({ arguments: 'f'.repeat(16), network: true })),
      [/^image!: gate licences: other arguments, with a network$/],
    ],
    [
      'a gate that looks at disks now',
      current(requestOf(), gated({})),
      current(requestOf(), gated({ on: 'disk' })),
      [/^image!: gate licences: on image → on disk$/, /^qcow2!: gate licences: on image → on disk$/],
    ],
    ['a boot test', current(), current(boot('login:')), [/^qcow2!: disk qcow2 has not passed this boot test$/]],
    ['another boot test', current(boot('login:')), current(boot('ready')), [/^qcow2!: .* boot test$/]],
    ['a more patient boot test', current(boot('login:')), current(boot('login:', { timeout: '10m' })), []],
    ['a boot test less', current(boot('login:')), current(), []],
    [
      'kept files',
      current(),
      current({ ...requestOf(), keepFiles: '/srv/disks' }),
      [/^qcow2!: disk qcow2 was not kept in \/srv\/disks$/],
    ],
    ['an approval', current(), current(requestOf({ approval: 'required' })), [/^release: nobody has approved it$/]],
    ["the operator's wish for one", current(), current(requestOf(), { approval: true }), [/^release: nobody/]],
    ['no disks, before and now', current(requestOf({ disks: [] })), current(requestOf({ disks: [] })), []],
    ['too young', current(), current(requestOf({ maxAge: '4d' })), []],
    ['too old', current(), current(requestOf({ maxAge: '3d' })), [/^image!: the image is 3d old \(maxAge 3d\)$/]],
  ])('%s', (_, before, now, expected) => {
    expect(found(recordOf(before), now)).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
  });

  it('files that were kept where they are asked for stand', () => {
    const earlier = recordOf(current());
    const file = { size: 1, sha256: 'a'.repeat(64), host: 'host-a', path: '/srv/disks/disk.qcow2' };
    const kept = { ...earlier, disks: earlier.disks.map((disk) => ({ ...disk, file })) };
    expect(found(kept, current({ ...requestOf(), keepFiles: '/srv/disks' }))).toEqual([]);
    expect(found(kept, current({ ...requestOf(), keepFiles: '/srv/other' }))).toHaveLength(1);
  });

  it('what was approved once needs no other approval', () => {
    const approval = { by: 'ann', at: '2026-11-20T02:00:00.000Z', comment: '' };
    const approved = { ...recordOf(current()), approval } as ReleaseRecord;
    expect(found(approved, current(requestOf({ approval: 'required' })))).toEqual([]);
  });

  it.each([
    ['2026-11-22T00:00:00.000Z', ['image!: the enrollment certificate in the image ends on 2026-11-22T00:00:00.000Z']],
    ['2027-11-24T00:00:00.000Z', []],
  ])('a certificate in the image that ends on %s', (certificateEnds, differences) => {
    expect(found(recordOf(current(), { certificateEnds }), current())).toEqual(differences);
  });

  it('a certificate that ends soon is a reason where what has changed is made anew', () => {
    const reasons = (left: number, days: number, rebuild?: object, renewBefore?: number) => {
      const certificateEnds = new Date(NOW.getTime() + left * DAY).toISOString();
      const enrollment = { binding: 'early', signer: 'enrollment', days } as const;
      const made = current({ ...requestOf(rebuild), enrollment: { ...enrollment, renewBefore } });
      // When it is replaced is nothing that an image is made of.
      return found(recordOf(current({ ...requestOf(rebuild), enrollment }), { certificateEnds }), made);
    };
    expect(reasons(30, 365)).toHaveLength(1);
    expect(reasons(31, 365)).toEqual([]);
    expect(reasons(5, 8)).toEqual([]);
    expect(reasons(4, 8)).toHaveLength(1);
    expect(reasons(1, 365, { rebuild: 'always' })).toEqual([]);
    expect(reasons(90, 365, undefined, 90)).toHaveLength(1);
    expect(reasons(91, 365, undefined, 90)).toEqual([]);
    expect(reasons(4, 8, undefined, 3)).toEqual([]);
  });

  it('an image that was taken over is as old as its own build', () => {
    const old = recordOf(current(), { builtAt: '2026-11-01T00:00:00.000Z' });
    expect(isTooOld(old, 4 * DAY, NOW)).toBe(true);
    expect(isTooOld(recordOf(current()), 4 * DAY, NOW)).toBe(false);
    expect(isTooOld(recordOf(current()), null, NOW)).toBe(false);
  });

  it('a record without them does not say what it was made of', () => {
    const whole = recordOf(current());
    const { parts, ...inputs } = whole.inputs!;
    expect(parts).toBeDefined();
    expect(found({ ...whole, inputs }, current())).toEqual(['image!: its record does not say what it was made of']);
  });
});

test.each([
  [['nightly', 'latest'], 'n-1', ['nightly', 'n-1', 'n-2']],
  [[], null, ['n-2']],
  [['n-1'], 'n-1', ['n-1', 'n-2']],
])('the record is looked for under %j and %j', (alsoTag, last, tags) => {
  expect(lastTags({ tag: 'n-2', alsoTag, rebuild: { maxAge: null, last } })).toEqual(tags);
});

it('finds the platform that an earlier release went on without, and no other', () => {
  const image = { repository: REPOSITORY, tag: 'n-{{date}}', platforms: ['linux/amd64', 'linux/arm64'] };
  const now = current(requestOf({ image }), { bases: forBoth(DIGEST, DIGEST) });
  const word = { by: 'ann@laptop', at: '2026-11-20T02:00:00Z', comment: 'no host' };
  const missing = [{ platform: 'arm64', ...word, kind: 'no-host', message: 'nobody' }];
  const before = recordOf({ ...now, bases: [now.bases[0]!] }, { missing });
  expect(changeSince(before, now, NOW)).toEqual([
    {
      subject: 'image',
      platform: 'arm64',
      replaces: true,
      reason: `${REPOSITORY}:n-20261120 was released without linux/arm64`,
    },
  ]);
});
