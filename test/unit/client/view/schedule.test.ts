/** Schedules in words. */
import { expect, test } from 'vitest';
import {
  renderSchedule,
  renderSchedules,
  type NightlyRun,
  type ScheduleFacts,
} from '../../../../client/view/schedule.ts';

const TIME = /\d{4}-\d\d-\d\d \d\d:\d\d(?:Z|[+-]\d\d:\d\d)/g;
const AT = '2026-11-23T02:00:00.000Z';
const facts: ScheduleFacts = {
  id: 'nightly/quay.io/acme/edge-camera',
  repository: 'quay.io/acme/edge-camera',
  cron: '0 2 * * *',
  timeZone: 'UTC',
  supersede: false,
  paused: false,
  note: null,
  context: 'https://git.example.com/edge.git main',
  tag: 'n-{{date}}',
  alsoTag: ['nightly'],
  rebuild: 'when-changed',
  running: null,
  leftOut: { overlap: 0, late: 0 },
  lastAt: AT,
  nextAt: AT,
};
const run: NightlyRun = {
  at: AT,
  scheduledAt: AT,
  outcome: 'released',
  release: 'quay.io/acme/edge-camera:n-20261123',
  reason: 'commit a1 → b2',
  standing: 'n-20261123',
};
const timeless = (lines: string[]) => lines.map((line) => line.replaceAll(TIME, 'TIME'));

test('none', () => {
  expect(renderSchedules([], undefined)).toEqual(['no schedules yet: make one with `flightline schedule set`']);
});

test('a list', () => {
  const paused = { ...facts, repository: 'quay.io/acme/b', paused: true, note: 'a move', lastAt: null, nextAt: null };
  expect(timeless(renderSchedules([facts, paused], undefined))).toEqual([
    expect.stringMatching(/^REPOSITORY {16}CRON {7}TIME ZONE {2}LAST +NEXT$/),
    'quay.io/acme/edge-camera  0 2 * * *  UTC        TIME  TIME',
    expect.stringMatching(/^quay\.io\/acme\/b {12}0 2 \* \* \* {2}UTC +paused: a move$/),
  ]);
});

test('one with its runs, and what would change now', () => {
  const held = { ...run, outcome: 'held', reason: 'held at build\n(containerfile)' } as const;
  const now = { change: 'part', reason: 'builder x sha256:a → sha256:b' } as const;
  expect(timeless(renderSchedule({ ...facts, runs: [held, run], now }, false))).toEqual([
    'quay.io/acme/edge-camera',
    '  runs     0 2 * * * (UTC)',
    '  next     TIME',
    '  tag      n-{{date}}, also nightly',
    '  context  https://git.example.com/edge.git main',
    '  rebuild  when-changed',
    '  now      what is missing beside the image that stands: builder x sha256:a → sha256:b',
    '',
    'TIME  held      quay.io/acme/edge-camera:n-20261123  held at build (containerfile)',
    'TIME  released  quay.io/acme/edge-camera:n-20261123  commit a1 → b2',
  ]);
});

test('one that left runs out', () => {
  const now = { change: 'none', reason: 'nothing has changed' } as const;
  const lines = renderSchedule({ ...facts, leftOut: { overlap: 2, late: 1 }, runs: [run], now }, false);
  expect(lines).toContain('  left out  2 while the one before was under way, 1 while Temporal was away');
});

test('one that has not run', () => {
  const now = { change: 'unknown', reason: 'no control worker answered' } as const;
  const lines = renderSchedule({ ...facts, runs: [], now }, false);
  expect(lines).toContain('  now      not known: no control worker answered');
  expect(lines.at(-1)).toBe('no runs yet');
});
