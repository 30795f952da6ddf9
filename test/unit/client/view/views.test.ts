import { describe, expect, test } from 'vitest';
import { failureOf } from '../../../../model/failure/failure.ts';
import { activitiesByRow, mergeStages, noteOf } from '../../../../client/view/activities.ts';
import { progressLines } from '../../../../client/follow/progress-lines.ts';
import {
  releaseLines,
  renderFailure,
  renderRelease,
  renderNotes,
  renderStatus,
} from '../../../../client/view/release.ts';
import { renderList } from '../../../../client/view/list.ts';
import { isVerified, type ReleaseRecord } from '../../../../model/release/record.ts';
import { renderSummary } from '../../../../client/follow/summary.ts';
import { chooseLogs, knownLogs } from '../../../../client/follow/known-logs.ts';
import { statusOf } from '../../../../model/release/listing.ts';
import { renderFinding, renderVerdict } from '../../../../client/view/findings.ts';
import { activity, DIGEST, OTHER_DIGEST, record, row, view } from './record.ts';

const NOW = Date.parse('2026-01-01T00:02:05Z');
const START = '2026-01-01T00:00:00.000Z';

describe('the stages of a release and its builder runs', () => {
  test('rows of a running builder run replace what the release knows of them', () => {
    const release = [row('build', 'image', { status: 'done' }), row('disk-build', 'qcow2'), row('tag', 'release')];
    const run = [row('disk-build', 'qcow2', { status: 'running' })];
    expect(mergeStages(release, [run]).map(({ status }) => status)).toEqual(['done', 'running', 'waiting']);
  });

  test('rows that the release has not heard of stand before its last stages', () => {
    const names = mergeStages([row('build', 'image'), row('tag', 'release')], [[row('publish', 'iso')]]);
    expect(names.map(({ name }) => name)).toEqual(['build', 'publish', 'tag']);
  });

  test('an activity belongs to the running row of its branch', () => {
    const running = row('publish', 'vmdk', { status: 'running' });
    const shown = view(
      [row('publish', 'qcow2', { status: 'done' }), running, row('publish', 'iso', { status: 'running' })],
      [activity({ branch: 'qcow2+vmdk', type: 'publish' })],
    );
    expect([...activitiesByRow(shown).keys()]).toEqual([running]);
  });

  test.each([
    ['image', 'build'],
    ['qcow2+vmdk', 'disk-build'],
  ])('a claim of %s waits in the row of %s', (branch, stage) => {
    const shown = view([row('build', 'image'), row('disk-build', 'qcow2+vmdk')], [activity({ branch, type: 'claim' })]);
    expect([...activitiesByRow(shown).keys()].map(({ name }) => name)).toEqual([stage]);
  });

  test.each([
    ['waiting', 'build'],
    ['done', 'device-verify'],
  ] as const)('a claim of the image with its build %s waits in the row of %s', (status, stage) => {
    const rows = [row('build', 'image', { status }), row('device-verify', 'image', { status: 'waiting' })];
    const shown = view(rows, [activity({ branch: 'image', type: 'claim' })]);
    expect([...activitiesByRow(shown).keys()].map(({ name }) => name)).toEqual([stage]);
  });
});

describe('what an activity does, in words', () => {
  test.each([
    [
      activity({ progress: { stage: 'disk-build', step: 'org.osbuild.qemu', done: 9, total: 20 } }),
      '45% org.osbuild.qemu',
    ],
    [activity({ progress: { stage: 'push', bytes: 120_400_000 } }), '120 MB'],
    [activity({ progress: { stage: 'build', done: 3, total: 0 } }), ''],
    [activity({ progress: { stage: 'build', done: 30, total: 20 } }), '100%'],
    [
      activity({ type: 'claim', started: false, attempt: 4, lastFailure: 'host-a has 1 of 1 disk builds running' }),
      'waiting: host-a has 1 of 1 disk builds running',
    ],
    [activity({ type: 'claim' }), 'waiting for a host'],
    [
      activity({ type: 'claim', started: false, waitsFor: 'waiting: no build host for amd64 asks for work' }),
      'waiting: no build host for amd64 asks for work',
    ],
    [
      activity({ type: 'push', started: false, attempt: 3, lastFailure: 'registry answers 502\nmore' }),
      'next try (3) after: registry answers 502',
    ],
    [
      activity({
        type: 'build',
        started: false,
        attempt: 2,
        lastFailure: 'podman build failed:\nSTEP 1\nError: why\n',
      }),
      'next try (2) after: podman build failed: Error: why',
    ],
    [
      activity({
        type: 'push',
        attempt: 2,
        lastFailure: 'registry answers 502',
        progress: { stage: 'push', bytes: 1e6 },
      }),
      '1 MB (try 2, after: registry answers 502)',
    ],
  ])('%#', (given, text) => expect(noteOf(given).text).toBe(text));

  test('the last line is shown without its colours', () => {
    expect(noteOf(activity({ progress: { stage: 'build', line: ' \u001b[32mcompiling\u001b[0m ' } })).line).toBe(
      'compiling',
    );
  });
});

test.each([
  [{ status: 'done', startedAt: START, durationMs: 42_000 }, '42 s'],
  [{ status: 'running', startedAt: START, durationMs: null }, '2:05'],
  [{ status: 'waiting', startedAt: null, durationMs: null }, ''],
  [{ status: 'held', startedAt: START, durationMs: null }, ''],
] as const)('time of %j', (given, text) => {
  const [, line] = renderRelease(view([row('build', 'image', given)]), { colour: false, columns: undefined, now: NOW });
  expect(line!.trim().split(/ {2,}/).slice(3)).toEqual(text === '' ? [] : [text]);
});

test('the stage table', () => {
  const shown = view(
    [
      row('resolve', 'release', { status: 'done', startedAt: START, durationMs: 800, attempts: 1 }),
      row('build', 'image', { status: 'done', startedAt: START, durationMs: 42_000, host: 'host-a', attempts: 2 }),
      row('disk-build', 'qcow2+vmdk', { status: 'running', startedAt: START, host: 'host-a' }),
      row('tag', 'release'),
    ],
    [
      activity({
        branch: 'qcow2+vmdk',
        type: 'diskBuild',
        progress: { stage: 'disk-build', step: 'org.osbuild.qemu', done: 45, total: 100, line: 'writing' },
      }),
    ],
  );
  expect(renderRelease(shown, { colour: false, columns: undefined, now: NOW })).toEqual([
    'quay.io/acme/edge-camera:v1  running  2:05',
    '  resolve     release     done     0.8 s',
    '  build       image       done     42 s   host-a  2 tries',
    '  disk-build  qcow2+vmdk  running  2:05   host-a  45% org.osbuild.qemu',
    '      writing',
    '  tag         release     waiting',
  ]);
  const narrow = releaseLines(shown, { colour: false, columns: 20, now: NOW });
  expect(Math.max(...narrow.map(({ text }) => text.length))).toBe(20);
});

test('clean-up is told of below the table', () => {
  const shown = view([row('tag', 'release', { status: 'done' })], [activity({ type: 'cleanUp' })]);
  expect(renderRelease(shown, { colour: false, columns: undefined, now: NOW }).at(-1)).toBe(
    '  cleaning up on the hosts',
  );
});

describe('a held release', () => {
  const held = (kind: 'containerfile') =>
    record({
      status: 'held',
      failure: failureOf(kind, 'line 1\nline 2', {
        stage: 'build',
        log: { host: 'host-a', path: '/w/logs/x/build.log' },
      }),
    });

  test('names cause, remedy with the release in its command, and the log', () => {
    const shown = held('containerfile');
    expect(renderFailure(shown.failure!, shown, false)).toEqual([
      'held at build (containerfile):',
      '  line 1',
      '  line 2',
      '  what to do: fix the Containerfile, then `flightline retry quay.io/acme/edge-camera:v1 ' +
        '--spec flightline.yaml`',
      '  the whole log: flightline logs quay.io/acme/edge-camera:v1 build',
    ]);
  });
});

describe('progress in lines', () => {
  const running = row('disk-build', 'iso', { status: 'running', host: 'host-a' });
  const at = (done: number) =>
    view(
      [running],
      [activity({ branch: 'iso', type: 'diskBuild', progress: { stage: 'disk-build', done, total: 100 } })],
    );

  test('each change once, percentages by tens', () => {
    let said: ReadonlyMap<string, string> = new Map();
    const told: string[] = [];
    for (const shown of [
      view([row('disk-build', 'iso')]),
      at(1),
      at(2),
      at(11),
      at(19),
      at(95),
      view([{ ...running, status: 'done', durationMs: 61_000 }]),
    ]) {
      const next = progressLines(shown, said, NOW);
      said = next.said;
      told.push(...next.lines.map(({ text }) => text));
    }
    expect(told).toEqual([
      'disk-build iso: running on host-a',
      'disk-build iso: 1%',
      'disk-build iso: 11%',
      'disk-build iso: 95%',
      'disk-build iso: done in 1:01',
    ]);
  });

  test('a reason for waiting is said once', () => {
    const shown = view(
      [row('build', 'image')],
      [activity({ type: 'claim', started: false, lastFailure: 'host-a is full' })],
    );
    const first = progressLines(shown, new Map(), NOW);
    expect(first.lines).toEqual([{ at: NOW, text: 'build image: waiting: host-a is full' }]);
    expect(progressLines(shown, first.said, NOW).lines).toEqual([]);
  });

  test('a release that has ended is told with the times of its stages, in their order', () => {
    const ended = view([
      row('build', 'image', { status: 'done', startedAt: START, durationMs: 42_000 }),
      row('disk-build', 'iso', { status: 'held', startedAt: '2026-01-01T00:00:42Z', durationMs: 10_000 }),
      row('sign', 'image', { status: 'done', startedAt: '2026-01-01T00:00:42Z', durationMs: 2_000 }),
    ]);
    const after = (seconds: number) => Date.parse(START) + seconds * 1_000;
    expect(progressLines(ended, new Map(), NOW).lines).toEqual([
      { at: after(42), text: 'build image: done in 42 s' },
      { at: after(44), text: 'sign image: done in 2.0 s' },
      { at: after(52), text: 'disk-build iso: held' },
    ]);
  });
});

describe('the summary', () => {
  const disk = {
    type: 'qcow2',
    form: 'container-disk',
    reference: 'quay.io/acme/edge-camera/diskimage-qcow2:v1',
    digest: OTHER_DIGEST,
    verified: true,
    updateFrom: 'quay.io/acme/edge-camera:latest',
    file: { size: 276_000_000, sha256: 'c'.repeat(64), host: 'host-a', path: null },
  } as const;
  const released = record({
    status: 'released',
    image: {
      reference: 'quay.io/acme/edge-camera:v1',
      digest: DIGEST,
      verified: true,
      updates: [
        {
          platform: 'linux/amd64',
          from: 'quay.io/acme/edge-camera:v1',
          digest: OTHER_DIGEST,
          bytes: 212_000_000,
          layers: 3,
          of: 71,
        },
      ],
    },
    disks: [disk],
  });

  test('of a release', () => {
    expect(renderSummary(released, { colour: false, ui: 'http://127.0.0.1:8233', page: 'http://page' })).toEqual([
      'quay.io/acme/edge-camera:v1 released',
      '  image',
      '    quay.io/acme/edge-camera:v1',
      `    ${DIGEST}`,
      '  qcow2, container disk, 276 MB',
      '    quay.io/acme/edge-camera/diskimage-qcow2:v1',
      `    ${OTHER_DIGEST}`,
      '  machines installed from them follow quay.io/acme/edge-camera:latest',
      '  verified as a device would: yes',
      '  update: devices on v1 fetch 212 MB (3 of 71 layers)',
      '  Temporal Web UI: http://127.0.0.1:8233',
      '  this release there: http://page',
    ]);
  });

  test.each([
    [released, true],
    [{ ...released, disks: [{ ...disk, verified: false }] }, false],
    [{ ...released, disks: [{ ...disk, form: 'none' as const, verified: false }] }, true],
    [{ ...released, image: { ...released.image, verified: false } }, false],
  ])('is only verified when all that is published is (%#)', (given, verified) =>
    expect(isVerified(given)).toBe(verified),
  );

  test('calls verified only what this run has verified', () => {
    const options = { colour: false, ui: null, page: null };
    expect(renderSummary(released, options)).toContain('  verified as a device would: yes');
    const unchanged = renderSummary({ ...released, status: 'unchanged' }, options);
    expect(unchanged).toContain('  present in full, and signed for its names: yes');
    expect(unchanged.join('\n')).not.toContain('verified');
  });

  test('of a cancelled release says that no tag was moved, unless one was', () => {
    const options = { colour: false, ui: null, page: null };
    expect(renderSummary(record({ status: 'cancelled' }), options)).toEqual([
      'quay.io/acme/edge-camera:v1 cancelled: its hosts are cleaned up, and no tag was moved',
    ]);
    const failure = failureOf('unexpected', 'cancelled when these tags had been moved: x', { stage: 'tag' });
    const [head, next] = renderSummary(record({ status: 'cancelled', failure }), options);
    expect(head).not.toContain('no tag');
    expect(next).toBe('cancelled at tag (unexpected):');
  });
});

test('what else is to be known of an image stands beside its stages and in the summary', () => {
  const one = record({ warnings: ['anybody can pull it'], reason: 'commit a1 → b2' });
  one.image.certificateEnds = '2027-11-23T18:00:00.000Z';
  const notes = [
    'reason: commit a1 → b2',
    'enrollment certificate in the image: until 2027-11-23',
    'warning: anybody can pull it',
  ];
  const now = new Date('2026-11-23T18:00:00.000Z');
  expect(renderNotes(one, false, now)).toEqual(notes);
  expect(renderNotes(one, false, new Date('2027-10-30T00:00:00.000Z'))).toContain(
    'warning: devices cannot enroll by this image after 2027-11-23',
  );
  expect(renderNotes(record(), false)).toEqual([]);
  const summary = renderSummary(one, { colour: false, ui: null, page: null });
  expect(summary).toEqual(expect.arrayContaining(notes.map((note) => `  ${note}`)));
});

test('what is attested is told for each platform, with the digest of its bundle', () => {
  const [amd64, arm64, bundle] = ['1', '2', '3'].map((digit) => `sha256:${digit.repeat(64)}`);
  const one = record();
  one.image.platforms = [
    { platform: 'amd64', digest: amd64! },
    { platform: 'arm64', digest: arm64! },
  ];
  const listed = { subject: 'image' as const, predicateType: 'https://spdx.dev/Document', digest: bundle! };
  one.attestations = [
    { subject: 'qcow2', of: DIGEST, predicateType: 'https://slsa.dev/provenance/v1', digest: OTHER_DIGEST },
    { ...listed, of: amd64! },
    { ...listed, of: arm64! },
  ];
  expect(renderNotes(one, false)).toEqual([
    `attested: provenance              qcow2                  ${OTHER_DIGEST}`,
    `attested: SPDX bill of materials  image for linux/amd64  ${bundle}`,
    `attested: SPDX bill of materials  image for linux/arm64  ${bundle}`,
  ]);
});

test('the images that podman used are told with their digests', () => {
  const base = [{ reference: 'quay.io/a/base:1', digest: DIGEST }];
  const inputs = { image: DIGEST, disks: {}, base, builder: null, context: DIGEST };
  const basesOf = (more: Partial<ReleaseRecord>) =>
    renderStatus({ record: record(more), activities: [] }, undefined, null, {
      colour: false,
      columns: undefined,
      now: NOW,
    }).slice(1);
  expect(basesOf({ inputs })).toEqual([`  base: quay.io/a/base:1  ${DIGEST}`]);
  expect(basesOf({})).toEqual([]);
});

test('a list', () => {
  const LISTED = { colour: false, columns: undefined, filtered: false };
  const common = {
    release: 'release/quay.io/a/b:v1',
    runId: '0f3c5d2e-7227-78cd-91b7-e67a08cf229f',
    hosts: ['host-a'],
    startedAt: START,
  };
  expect(
    renderList(
      [
        { ...common, reference: 'quay.io/a/b:v1', status: 'running', stage: 'build', closedAt: null },
        { ...common, reference: 'quay.io/a/b:v0', status: 'released', stage: 'record', closedAt: START },
      ],
      LISTED,
    ).map((line) => line.replace(/\d{4}-\d\d-\d\d \d\d:\d\d(?:Z|[+-]\d\d:\d\d)/, 'TIME')),
  ).toEqual([
    'RELEASE         STATUS    STAGE  HOST    STARTED            RUN',
    'quay.io/a/b:v1  running   build  host-a  TIME  0f3c5d2e-7227',
    'quay.io/a/b:v0  released         host-a  TIME  0f3c5d2e-7227',
  ]);
  expect(renderList([], LISTED)).toEqual(['no releases yet: start one with `flightline run`']);
});

test.each([
  ['RUNNING', 'running', 'running'],
  ['RUNNING', 'held', 'held'],
  ['RUNNING', undefined, 'running'],
  ['COMPLETED', 'released', 'released'],
  ['COMPLETED', 'unchanged', 'unchanged'],
  ['FAILED', 'running', 'failed'],
  ['CANCELLED', 'held', 'cancelled'],
  ['TERMINATED', 'running', 'failed'],
  ['TIMED_OUT', 'held', 'failed'],
] as const)('a %s workflow that calls itself %s is listed as %s', (execution, attribute, status) =>
  expect(statusOf(execution, attribute)).toBe(status),
);

describe('which log is meant', () => {
  const log = (name: string) => ({ host: 'host-a', path: `/w/logs/${name}.log` });
  const stages = [
    row('build', 'image', { log: log('build') }),
    row('push', 'image', { log: log('push'), startedAt: '2026-01-01T00:00:00.000Z' }),
    row('disk-build', 'qcow2', { log: log('disk-build-qcow2'), startedAt: '2026-01-01T00:02:00.000Z' }),
    row('disk-build', 'iso', { log: log('disk-build-iso'), startedAt: '2026-01-01T00:01:00.000Z' }),
    row('tag', 'release'),
  ];
  const failed = record({
    stages,
    failure: failureOf('builder', 'x', { stage: 'disk-build', log: log('disk-build-qcow2') }),
  });

  test.each([
    [record({ stages }), undefined, ['disk-build-qcow2']],
    [failed, undefined, ['disk-build-qcow2']],
    [failed, 'disk-build', ['disk-build-qcow2', 'disk-build-iso']],
    [failed, 'build', ['build']],
    [failed, 'tag', []],
    [record({ failure: failureOf('builder', 'x', { log: log('lost') }) }), undefined, ['lost']],
    [record(), undefined, []],
  ] as const)('%#', (given, stage, names) =>
    expect(chooseLogs(given, { stage }).map(({ path }) => path)).toEqual(names.map((name) => log(name).path)),
  );

  test('each log is known once', () => expect(knownLogs(failed)).toHaveLength(4));
});

describe('what doctor found', () => {
  type ShownFinding = Parameters<typeof renderFinding>[0];
  const finding = (more: Partial<ShownFinding>): ShownFinding => ({
    name: 'podman',
    status: 'ok',
    detail: '5.4.2',
    remedy: null,
    fix: null,
    fixed: false,
    ...more,
  });
  const failed = finding({
    status: 'failed',
    detail: 'is 4.3\nmore',
    remedy: 'install 5.0',
    fix: { file: '/etc/x.conf' },
  });

  test.each([
    [finding({}), ['ok       podman: 5.4.2']],
    [finding({ fixed: true }), ['ok       podman: 5.4.2 (fixed just now)']],
    [
      failed,
      ['failed   podman: is 4.3', '           more', '         install 5.0', '         `--fix` writes /etc/x.conf'],
    ],
  ])('a finding %#', (given, lines) => expect(renderFinding(given, false)).toEqual(lines));

  test.each([
    [[finding({})], false, 'this machine has what its roles need'],
    [[finding({ status: 'warning' })], false, 'this machine has what its roles need, with 1 warning'],
    [
      [finding({}), failed, finding({ status: 'warning' }), finding({ status: 'warning' })],
      false,
      '1 of 4 checks failed, 2 warnings; `flightline doctor --fix` fixes what a file of its own can',
    ],
    [[failed], true, '1 of 1 checks failed'],
  ])('the verdict %#', (findings, fixed, text) => expect(renderVerdict(findings, fixed)).toBe(text));
});
