/** What a person sees of a running release, by a terminal's own rules: its size, a resize, and no terminal at all. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { displayFor } from '../../../../client/follow/display.ts';
import { processOutput } from '../../../../client/terminal/output.ts';
import type { ReleaseView } from '../../../../client/view/activities.ts';
import { Terminal } from '../../../support/terminal.ts';
import { activity, row, view } from '../view/record.ts';

const NOW = Date.parse('2026-01-01T00:02:05Z');
const at = (seconds: number) => new Date(NOW - 125_000 + seconds * 1_000).toISOString();

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
  vi.stubEnv('TZ', 'UTC');
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const DONE = { status: 'done', attempts: 1 } as const;
const HOST = { host: 'host-a' };
const running: ReleaseView = view(
  [
    row('resolve', 'release', { ...DONE, startedAt: at(0), durationMs: 800 }),
    row('build', 'image', { ...DONE, ...HOST, startedAt: at(1), durationMs: 42_000 }),
    row('push', 'image', { ...DONE, ...HOST, startedAt: at(43), durationMs: 3_000 }),
    row('sign', 'image', { ...DONE, startedAt: at(46), durationMs: 2_000 }),
    row('verify', 'image', { ...DONE, startedAt: at(48), durationMs: 900 }),
    row('disk-build', 'qcow2+vmdk', { status: 'running', ...HOST, startedAt: at(46), attempts: 1 }),
    row('publish', 'qcow2'),
    row('sign', 'qcow2'),
    row('publish', 'vmdk'),
    row('sign', 'vmdk'),
    row('disk-build', 'iso', { status: 'running', startedAt: at(46), attempts: 1 }),
    row('tag', 'release'),
    row('record', 'release'),
  ],
  [
    activity({
      branch: 'qcow2+vmdk',
      type: 'diskBuild',
      progress: { stage: 'disk-build', step: 'org.osbuild.qemu', done: 45, total: 100, line: 'writing the partitions' },
    }),
    activity({
      branch: 'iso',
      type: 'claim',
      started: false,
      attempt: 2,
      lastFailure: 'host-a has 1 of 1 disk builds running',
    }),
  ],
);

const live = { ...processOutput(), live: true, colour: { result: false, progress: false } };

async function shownAt(columns: number, rows: number): Promise<string[]> {
  const terminal = new Terminal(columns, rows);
  const display = displayFor(live, terminal);
  // Drawn again and again, as in life.
  for (let look = 0; look < 3; look++) display.show(running);
  display.close();
  return terminal.lines();
}

describe('a terminal of', () => {
  it('80x24 shows the whole table', async () => {
    expect(await shownAt(80, 24)).toEqual([
      'quay.io/acme/edge-camera:v1  running  2:05',
      '  resolve     release     done     0.8 s',
      '  build       image       done     42 s   host-a',
      '  push        image       done     3.0 s  host-a',
      '  sign        image       done     2.0 s',
      '  verify      image       done     0.9 s',
      '  disk-build  qcow2+vmdk  running  1:19   host-a  45% org.osbuild.qemu',
      '      writing the partitions',
      '  publish     qcow2       waiting',
      '  sign        qcow2       waiting',
      '  publish     vmdk        waiting',
      '  sign        vmdk        waiting',
      '  disk-build  iso         running  1:19           waiting: host-a has 1 of 1 di…',
      '  tag         release     waiting',
      '  record      release     waiting',
    ]);
  });

  it('80x9 folds what is done and what is to come, and keeps what runs', async () => {
    expect(await shownAt(80, 9)).toEqual([
      'quay.io/acme/edge-camera:v1  running  2:05',
      '  … 5 stages done',
      '  disk-build  qcow2+vmdk  running  1:19   host-a  45% org.osbuild.qemu',
      '      writing the partitions',
      '  publish     qcow2       waiting',
      '  disk-build  iso         running  1:19           waiting: host-a has 1 of 1 di…',
      '  … 5 stages to come',
    ]);
  });

  it('80x6 keeps what runs', async () => {
    expect(await shownAt(80, 6)).toEqual([
      'quay.io/acme/edge-camera:v1  running  2:05',
      '  … 5 stages done',
      '  disk-build  qcow2+vmdk  running  1:19   host-a  45% org.osbuild.qemu',
      '  disk-build  iso         running  1:19           waiting: host-a has 1 of 1 di…',
    ]);
  });

  it('46x24 cuts each line', async () => {
    const lines = await shownAt(46, 24);
    expect(lines).toHaveLength(15);
    expect(lines[6]).toBe('  disk-build  qcow2+vmdk  running  1:19   hos…');
    expect(lines[12]).toBe('  disk-build  iso         running  1:19      …');
  });

  it('200x24 cuts none', async () => {
    expect((await shownAt(200, 24))[12]).toBe(
      '  disk-build  iso         running  1:19           waiting: host-a has 1 of 1 disk builds running',
    );
  });
});

describe('a resize leaves no remains', () => {
  it.each([
    ['narrower', 46, 24, true],
    ['wider', 120, 24, true],
    ['higher', 80, 40, true],
    // What was above has scrolled away.
    ['lower', 80, 9, false],
    ['narrower and lower', 50, 12, false],
  ])('to %s', async (_, columns, rows, keepsLineAbove) => {
    const terminal = new Terminal(80, 24);
    terminal.write('$ flightline run\n');
    const display = displayFor(live, terminal);
    display.show(running);
    await terminal.resize(columns, rows);
    display.show(running);
    display.close();
    expect(terminal.listenerCount('resize')).toBe(0);
    const above = keepsLineAbove ? ['$ flightline run'] : [];
    expect(await terminal.lines()).toEqual([...above, ...(await shownAt(columns, rows))]);
  });
});

it('what is said between stays above the table', async () => {
  const terminal = new Terminal(80, 24);
  const display = displayFor(live, terminal);
  display.show(running);
  display.note('Temporal does not answer');
  const lines = await terminal.lines();
  expect(lines[0]).toBe('Temporal does not answer');
  expect(lines.slice(1)).toEqual(await shownAt(80, 24));
});

describe('the line below a row', () => {
  it('stays until another says something', async () => {
    const terminal = new Terminal(80, 24);
    const display = displayFor(live, terminal);
    const build = (line: string) =>
      view(
        [row('build', 'image', { status: 'running', startedAt: at(0) })],
        [activity({ progress: { stage: 'build', step: 'RUN make', done: 1, total: 3, line } })],
      );
    for (const line of ['cc -c edge.c', `--> ${'a'.repeat(12)}`, 'a'.repeat(64), 'STEP 3/3: RUN true', '====', '']) {
      display.show(build(line));
    }
    expect(await terminal.lines()).toEqual([
      'quay.io/acme/edge-camera:v1  running  2:05',
      '  build  image  running  2:05    33% RUN make',
      '      cc -c edge.c',
    ]);
  });
});

describe('where nothing is redrawn', () => {
  const lines: string[] = [];
  const piped = { ...live, live: false, note: (text: string) => void lines.push(text) };
  beforeEach(() => void lines.splice(0));

  it('each change is a line, with its time', () => {
    const display = displayFor(piped);
    for (let look = 0; look < 3; look++) display.show(running);
    expect(lines).toEqual([
      '00:00:00Z resolve release: done in 0.8 s',
      '00:00:43Z build image: done in 42 s',
      '00:00:46Z push image: done in 3.0 s',
      '00:00:46Z disk-build qcow2+vmdk: running on host-a',
      '00:00:46Z disk-build iso: running',
      '00:00:48Z sign image: done in 2.0 s',
      '00:00:48Z verify image: done in 0.9 s',
      '00:02:05Z disk-build qcow2+vmdk: 45% org.osbuild.qemu',
      '00:02:05Z disk-build iso: waiting: host-a has 1 of 1 disk builds running',
    ]);
  });

  it('podman’s steps come as they come', () => {
    const display = displayFor(piped);
    for (const done of [0, 0, 1]) {
      const step = ['FROM quay.io/a/b:1', 'RUN make'][done]!;
      const stages = [row('build', 'image', { status: 'running', startedAt: at(125) })];
      display.show(view(stages, [activity({ progress: { stage: 'build', step, done, total: 2 } })]));
    }
    expect(lines).toEqual([
      '00:02:05Z build image: running',
      '00:02:05Z build image: STEP 1/2: FROM quay.io/a/b:1',
      '00:02:05Z build image: STEP 2/2: RUN make',
    ]);
  });

  it('half a minute is never silent', () => {
    const display = displayFor(piped);
    display.show(running);
    lines.splice(0);
    vi.setSystemTime(NOW + 29_000);
    display.show(running);
    expect(lines).toEqual([]);
    vi.setSystemTime(NOW + 30_000);
    display.show(running);
    expect(lines).toEqual([
      '00:02:35Z disk-build qcow2+vmdk: running for 1:49, 45% org.osbuild.qemu | writing the partitions',
      '00:02:35Z disk-build iso: running for 1:49, waiting: host-a has 1 of 1 disk builds running',
    ]);
  });
});
