/** Every table with names as long as they are in practice, on narrow terminals: no cell is torn, no status unseen. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ListedHost } from '../../../model/contract/host-status.ts';
import type { StageRow } from '../../../model/release/record.ts';
import { renderSummary } from '../../../client/follow/summary.ts';
import { renderDryRun } from '../../../client/project/plan.ts';
import type { ReleaseView } from '../../../client/view/activities.ts';
import { renderDiff } from '../../../client/view/diff.ts';
import { renderHistory } from '../../../client/view/history.ts';
import { renderHosts } from '../../../client/view/hosts.ts';
import { renderList } from '../../../client/view/list.ts';
import { releaseLines, renderStatus } from '../../../client/view/release.ts';
import { renderSchedule, renderSchedules } from '../../../client/view/schedule.ts';
import { activity, DIGEST, OTHER_DIGEST, record, row } from './view/record.ts';

const NOW = Date.parse('2026-01-01T00:02:05Z');
const at = (seconds: number) => new Date(NOW - 125_000 + seconds * 1_000).toISOString();
const R = 'registry.example.com:5000/team/product-os';
const T = '10.2026.11.30-nightly';
const HOST = 'build-arm64-1.team.example.com';
const RUN = '01a22b6b-7227-78cd-91b7-e67a08cf229f';
const SUBJECT = 'qcow2-arm64+vmdk-arm64+raw-arm64';

beforeEach(() => {
  // Where the tests run has a time zone of its own.
  vi.spyOn(Date.prototype, 'getTimezoneOffset').mockReturnValue(0);
  for (const part of ['FullYear', 'Month', 'Date', 'Hours', 'Minutes', 'Seconds'] as const) {
    vi.spyOn(Date.prototype, `get${part}`).mockImplementation(function (this: Date) {
      return this[`getUTC${part}`]();
    });
  }
});
afterEach(() => vi.restoreAllMocks());

const done = (from: number, milliseconds: number): Partial<StageRow> => ({
  status: 'done',
  attempts: 1,
  startedAt: at(from),
  durationMs: milliseconds,
});
const stages = [
  row('resolve', 'release', done(0, 800)),
  row('build', 'image-amd64', { ...done(1, 42_000), host: 'build-1' }),
  row('build', 'image-arm64', { ...done(1, 92_000), host: HOST, attempts: 2 }),
  row('gate', 'image', { ...done(43, 3_000), host: HOST }),
  row('sign', 'image', done(46, 2_000)),
  row('disk-build', SUBJECT, { status: 'running', host: HOST, startedAt: at(46), attempts: 1 }),
  row('publish', 'qcow2-arm64'),
  row('device-verify', 'image'),
  row('tag', 'release'),
];
const progress = { stage: 'disk-build', step: 'org.osbuild.qemu', done: 45, total: 100, line: 'writing partitions' };
const view: ReleaseView = {
  record: record({
    release: `release/${R}:${T}`,
    runId: RUN,
    stages,
    inputs: {
      image: DIGEST,
      disks: {},
      base: [{ reference: `${R}-base:stream10`, digest: OTHER_DIGEST }],
      builder: null,
      context: DIGEST,
    },
    image: { reference: `${R}:${T}`, digest: DIGEST, verified: true },
    attestations: [
      { subject: 'image', of: DIGEST, predicateType: 'https://slsa.dev/provenance/v1', digest: OTHER_DIGEST },
    ],
  }),
  activities: [activity({ branch: SUBJECT, type: 'diskBuild', progress } as never)],
};
const SAME = { onlyFrom: [], onlyTo: [], gates: null, waived: [], unrecorded: [] };
const slots = { used: 1, limit: 2 };
const hosts: ListedHost[] = [
  {
    host: HOST,
    roles: ['build'],
    state: 'answers',
    lastSeen: at(125),
    versions: ['0.2.0'],
    status: {
      architecture: 'arm64',
      architectures: ['amd64', 'arm64'],
      version: '0.2.0',
      startedAt: at(0),
      draining: { since: at(0), comment: 'new kernel' },
      slots: { build: slots, disk: slots, transfer: slots },
      disk: { free: 61_000_000_000, total: 480_000_000_000 },
      leases: [{ release: `release/${R}:${T}`, branch: SUBJECT, slot: 'disk' }],
      waiting: [],
      running: [{ stage: 'disk-build', workflow: `release/${R}:${T}`, since: at(46) }],
      containers: [],
    },
  },
  {
    host: 'sign-1.team.example.com',
    roles: ['control', 'sign'],
    state: 'silent',
    lastSeen: at(1),
    versions: ['0.2.0'],
    status: null,
  },
];
const listed = { release: `release/${R}:${T}`, reference: `${R}:${T}`, runId: RUN, hosts: ['build-1', HOST] };
const schedule = {
  id: `nightly/${R}`,
  repository: R,
  cron: '0 2 * * *',
  timeZone: 'America/Argentina/Buenos_Aires',
  supersede: false,
  paused: false,
  note: null,
  context: 'https://git.example.com/team/product-os.git main',
  tag: '10.{{date}}-nightly',
  alsoTag: ['nightly', 'stable'],
  rebuild: 'when-changed' as const,
  running: null,
  leftOut: { overlap: 2, late: 0 },
  lastAt: at(0),
  nextAt: at(86_400),
};
const reason = `base ${R}-base:stream10 changed`;
const night = {
  at: at(0),
  scheduledAt: at(0),
  outcome: 'released' as const,
  release: `${R}:${T}`,
  reason,
  standing: T,
};

/** Each table as its command prints it. */
const TABLES: Record<string, (columns: number) => string[]> = {
  'the live view': (columns) => releaseLines(view, { colour: false, columns, now: NOW }).map(({ text }) => text),
  status: (columns) => renderStatus(view, undefined, null, { colour: false, columns, now: NOW }),
  summary: (columns) =>
    renderSummary({ ...view.record, status: 'released' }, { colour: false, ui: null, page: null, columns }),
  list: (columns) =>
    renderList(
      [
        { ...listed, status: 'running', stage: 'disk-build', closedAt: null, startedAt: at(0) },
        { ...listed, status: 'held', stage: 'publish', closedAt: null, startedAt: at(-90_000) },
      ],
      { colour: false, columns, filtered: false },
    ),
  hosts: (columns) => renderHosts(hosts, { colour: false, columns, now: NOW }),
  history: (columns) =>
    renderHistory(
      {
        repository: R,
        tag: 'stable',
        entries: [
          {
            at: at(0),
            digest: DIGEST,
            record: null,
            release: `release/${R}:${T}`,
            kind: 'release',
            why: 'released',
            by: null,
          },
          {
            at: at(9),
            digest: OTHER_DIGEST,
            record: null,
            release: null,
            kind: 'rollback',
            why: 'no boot',
            by: 'ada@desk',
          },
        ] as never,
      },
      false,
      columns,
    ),
  schedules: (columns) => renderSchedules([schedule], columns),
  'a schedule': (columns) =>
    renderSchedule({ ...schedule, runs: [night], now: { change: 'image', reason } }, false, columns),
  'a dry run': (columns) =>
    renderDryRun(
      {
        schemaVersion: 1,
        dryRun: true,
        release: `release/${R}:${T}`,
        outcome: 'release',
        image: {
          reference: `${R}:${T}`,
          alsoTag: ['stable'],
          updateFrom: 'stable',
          tagPolicy: 'create',
          existing: null,
        },
        disks: [{ type: 'qcow2', form: 'artifact', reference: `${R}/diskimage-qcow2:${T}` }],
        inputs: {
          image: DIGEST,
          base: [{ reference: `${R}-base:stream10`, digest: OTHER_DIGEST }],
          builder: null,
          context: DIGEST,
        },
        hosts: [HOST],
        stages: [
          { name: 'device-verify', subject: 'image', worker: 'build' },
          { name: 'disk-build', subject: SUBJECT, worker: 'build' },
        ],
        checks: [],
      },
      false,
      columns,
    ),
  diff: (columns) =>
    renderDiff(
      {
        schemaVersion: 1,
        from: `${R}:${T}`,
        to: `${R}:10.2026.12.01-nightly`,
        ...SAME,
        platforms: [
          {
            platform: 'linux/arm64',
            from: DIGEST,
            to: OTHER_DIGEST,
            update: { bytes: 7_001_500, layers: 1, of: 2 },
            size: { from: 94_000_000, to: 97_000_000 },
            layers: {
              shared: 1,
              removed: [],
              added: [{ digest: OTHER_DIGEST, size: 7_000_000, createdBy: 'RUN dnf install -y product-agent tools' }],
            },
            configuration: [],
            packages: {
              added: [],
              removed: [],
              changed: [{ name: 'python3-cryptography', from: '45.0.4-1.el10', to: '45.0.7-2.el10' }],
              kernel: { from: null, to: null },
            },
          },
        ],
      },
      false,
      columns,
    ),
};

describe.each([46, 80])('in %d columns', (columns) => {
  it.each(Object.entries(TABLES))('%s', (_, table) => {
    expect(`\n${table(columns).join('\n')}\n`).toMatchSnapshot();
  });
});

it('the live view keeps names, statuses and times in sight', () => {
  for (const columns of [46, 80]) {
    const [head, ...rows] = TABLES['the live view']!(columns);
    expect(head).toMatch(/^(?:…|registry.*)\S+-os:10\.2026\.11\.30-nightly {2}running {2}2:05$/);
    for (const text of [head!, ...rows]) expect(text.length).toBeLessThanOrEqual(columns);
    expect(rows.find((text) => text.includes('disk-build'))).toMatch(/ running {2}1:19/);
  }
});
