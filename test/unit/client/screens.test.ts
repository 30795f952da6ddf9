/**
 * What a person sees of a release and its hosts, by a terminal's own rules, in a pipe and in a CI system. The pictures
 * are in __snapshots__; `npx vitest run --project unit test/unit/client/screens.test.ts -u` takes them anew.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { failureOf } from '../../../model/failure/failure.ts';
import type { ListedHost } from '../../../model/contract/host-status.ts';
import { displayFor } from '../../../client/follow/display.ts';
import { renderSummary } from '../../../client/follow/summary.ts';
import type { ReleaseView } from '../../../client/view/activities.ts';
import { renderHosts } from '../../../client/view/hosts.ts';
import { renderList } from '../../../client/view/list.ts';
import { renderStatus } from '../../../client/view/release.ts';
import { Terminal } from '../../support/terminal.ts';
import { activity, DIGEST, OTHER_DIGEST, record, row, view } from './view/record.ts';

const tty = vi.hoisted(() => ({ isTerminal: true }));
vi.mock('node:tty', () => ({ isatty: () => tty.isTerminal }));
// Another file of the same thread may have loaded it with the real terminal.
vi.resetModules();
const { processOutput } = await import('../../../client/terminal/output.ts');

const NOW = Date.parse('2026-01-01T00:02:05Z');
const at = (seconds: number) => new Date(NOW - 125_000 + seconds * 1_000).toISOString();
const HOST = 'build-1.acme.example';
const R = 'quay.io/acme/edge-camera';
const RUN = '01a22b6b-7227-78cd-91b7-e67a08cf229f';
const PAGE = 'http://127.0.0.1:8233/namespaces/default/workflows/release%2Fquay.io%2Facme%2Fedge-camera%3Av1';

/** Sets all that the output looks at, and no more. */
function environment(variables: Record<string, string>): void {
  for (const name of ['CI', 'TERM', 'NO_COLOR', 'FORCE_COLOR', 'npm_lifecycle_event']) {
    vi.stubEnv(name, variables[name]);
  }
}
beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
  environment({});
  tty.isTerminal = true;
  // Where the tests run has a time zone of its own.
  vi.spyOn(Date.prototype, 'getTimezoneOffset').mockReturnValue(0);
  for (const part of ['FullYear', 'Month', 'Date', 'Hours', 'Minutes', 'Seconds'] as const) {
    vi.spyOn(Date.prototype, `get${part}`).mockImplementation(function (this: Date) {
      return this[`getUTC${part}`]();
    });
  }
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const done = (from: number, milliseconds: number) =>
  ({ status: 'done', attempts: 1, startedAt: at(from), durationMs: milliseconds }) as const;
const stages = [
  row('resolve', 'release', done(0, 800)),
  row('build', 'image', { ...done(1, 42_000), host: HOST }),
  row('push', 'image', { ...done(43, 3_000), host: HOST }),
  row('sign', 'image', done(46, 2_000)),
  row('verify', 'image', done(48, 900)),
];
const running = view(
  [
    ...stages,
    row('disk-build', 'qcow2', { status: 'running', host: HOST, startedAt: at(46), attempts: 1 }),
    row('publish', 'qcow2'),
    row('sign', 'qcow2'),
    row('tag', 'release'),
    row('record', 'release'),
  ],
  [
    activity({
      branch: 'qcow2',
      type: 'diskBuild',
      progress: { stage: 'disk-build', step: 'org.osbuild.qemu', done: 45, total: 100, line: 'writing the partitions' },
    }),
  ],
);
const inputs = { image: DIGEST, disks: {}, base: [], builder: null, context: DIGEST };
const released = record({
  status: 'released',
  runId: RUN,
  stages: [...stages, row('disk-build', 'qcow2', { ...done(46, 61_000), host: HOST, attempts: 2 })],
  inputs: { ...inputs, base: [{ reference: 'quay.io/centos-bootc/centos-bootc:stream9', digest: OTHER_DIGEST }] },
  image: { reference: `${R}:v1`, digest: DIGEST, verified: true },
  disks: [
    {
      type: 'qcow2',
      form: 'artifact',
      reference: `${R}/diskimage-qcow2:v1`,
      digest: OTHER_DIGEST,
      verified: true,
      updateFrom: `${R}:latest`,
      file: { size: 1_276_000_000, sha256: 'c'.repeat(64), host: HOST, path: null },
    },
  ],
});
const held = record({
  status: 'held',
  runId: RUN,
  stages: [stages[0]!, row('build', 'image', { status: 'held', host: HOST, attempts: 1, durationMs: 7_000 })],
  failure: failureOf('containerfile', 'podman build failed:\nError: building at STEP "RUN make": exit status 2', {
    stage: 'build',
    log: { host: HOST, path: '/w/logs/x/build.log' },
  }),
});
const unchanged: ReleaseView = {
  record: record({
    status: 'unchanged',
    runId: '01a22b6b-b534-7c65-b802-44e594b33437',
    stages: [row('resolve', 'release', done(100, 900)), row('build', 'image', { status: 'skipped' })],
  }),
  activities: [],
};

const slots = (used: number) => ({ used, limit: 2 });
const hosts: ListedHost[] = [
  {
    host: HOST,
    roles: ['build'],
    state: 'answers',
    lastSeen: at(125),
    versions: ['1.2.3'],
    status: {
      architecture: 'amd64',
      architectures: ['amd64', 'arm64'],
      version: '1.2.3',
      startedAt: at(0),
      draining: null,
      slots: { build: slots(0), disk: slots(1), transfer: slots(0) },
      disk: { free: 61_000_000_000, total: 480_000_000_000 },
      leases: [{ release: `release/${R}:v1`, branch: 'qcow2', slot: 'disk' }],
      waiting: [],
      running: [{ stage: 'disk-build', workflow: `release/${R}:v1`, since: at(46) }],
      containers: ['flightline-1f0c-disk-qcow2'],
    },
  },
  {
    host: 'build-2.acme.example',
    roles: ['build'],
    state: 'silent',
    lastSeen: at(1),
    versions: ['1.2.3'],
    status: null,
  },
  {
    host: 'sign-1.acme.example',
    roles: ['control', 'sign'],
    state: 'polls',
    lastSeen: at(100),
    versions: ['1.2.3'],
    status: null,
  },
];
const listed = { release: `release/${R}:v1`, runId: RUN, hosts: [HOST], stage: 'disk-build', closedAt: null };

type Result = (colour: boolean, columns: number | undefined) => string[];

/** Each view as its command prints it. */
const RESULTS: Record<string, Result> = {
  'the summary of a release': (colour) => renderSummary(released, { colour, ui: 'http://127.0.0.1:8233', page: PAGE }),
  'the summary of a held release': (colour) => renderSummary(held, { colour, ui: null, page: null }),
  list: (colour, columns) =>
    renderList(
      [
        { ...listed, reference: `${R}:v2`, status: 'running', startedAt: at(0) },
        { ...listed, reference: `${R}:v1`, status: 'held', stage: 'build', startedAt: at(-90_000) },
        { ...listed, reference: 'quay.io/acme/kiosk:v7', status: 'failed', closedAt: at(0), startedAt: at(-99_999) },
      ],
      { colour, columns, filtered: false },
    ),
  status: (colour, columns) =>
    renderStatus(unchanged, { record: released, activities: [] }, PAGE, { colour, columns, now: NOW }),
  hosts: (colour, columns) => renderHosts(hosts, { colour, columns, now: NOW }),
};

/** The live view and a result, as this process writes them; what is not text is spelt out. */
function textOf(terminal: Terminal | undefined, result: Result | undefined): string {
  let all = '';
  const keep = (text: unknown) => {
    all += String(text);
    terminal?.write(String(text));
    return true;
  };
  const written = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockImplementation(keep));
  try {
    const output = processOutput();
    if (result) output.result(result(output.colour.result, terminal?.columns).join('\n'));
    else {
      const display = displayFor(output, terminal ?? process.stderr);
      // Drawn again and again, as in life.
      for (let look = 0; look < 2; look++) display.show(running);
      display.close();
    }
  } finally {
    for (const spy of written) spy.mockRestore();
  }
  return all.replaceAll('\u001b', '␛');
}

const VIEWS = [['a running release', undefined], ...Object.entries(RESULTS)] as const;

describe.each([
  [80, 24],
  [80, 9],
  [46, 24],
  [200, 24],
])('on a terminal of %d x %d', (columns, rows) => {
  it.each(VIEWS)('%s', async (_, result) => {
    const terminal = new Terminal(columns, rows);
    textOf(terminal, result);
    expect(`\n${(await terminal.lines()).join('\n')}\n`).toMatchSnapshot();
  });
});

type Surroundings = [isTerminal: boolean, variables: Record<string, string>];
const SURROUNDINGS = {
  'in colour': [true, {}],
  'with NO_COLOR': [true, { NO_COLOR: '1' }],
  piped: [false, {}],
  'piped with FORCE_COLOR': [false, { FORCE_COLOR: '1' }],
} satisfies Record<string, Surroundings>;

function writtenIn([isTerminal, variables]: Surroundings, result: Result | undefined): string {
  tty.isTerminal = isTerminal;
  environment(variables);
  return `\n${textOf(undefined, result)}`;
}

describe.each(Object.entries<Surroundings>(SURROUNDINGS))('%s', (_, surroundings) => {
  it.each(VIEWS)('%s', (__, result) => expect(writtenIn(surroundings, result)).toMatchSnapshot());
});

it.each<[keyof typeof SURROUNDINGS, Surroundings]>([
  ['piped', [false, { CI: 'true' }]],
  ['piped', [true, { TERM: 'dumb' }]],
  ['piped with FORCE_COLOR', [true, { CI: 'true' }]],
  ['piped with FORCE_COLOR', [false, { CI: 'true', FORCE_COLOR: '' }]],
  ['with NO_COLOR', [true, { FORCE_COLOR: '0' }]],
  ['in colour', [true, { CI: 'false' }]],
  ['in colour', [true, { FORCE_COLOR: '1', NO_COLOR: '1' }]],
])('looks as %s: a terminal, and variables, as in %j', (name, surroundings) => {
  for (const [, result] of VIEWS) {
    expect(writtenIn(surroundings, result)).toBe(writtenIn(SURROUNDINGS[name], result));
  }
});
