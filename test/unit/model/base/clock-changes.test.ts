/** What the clocks of a zone do to a schedule. The runs are those that Temporal 1.29 answered. */
import { describe, expect, it, test } from 'vitest';
import { clockChanges, unusualTimes } from '../../../../model/base/clock-changes.ts';

const at = (iso: string) => Date.parse(`${iso}:00Z`);

test.each([
  ['Europe/Berlin', ['2026-03-29T01:00', '2026-10-25T01:00']],
  ['America/New_York', ['2026-03-08T07:00', '2026-11-01T06:00']],
  ['Australia/Lord_Howe', ['2026-04-04T15:00', '2026-10-03T15:30']],
  ['UTC', []],
  ['Asia/Tokyo', []],
])('the clocks of %s', (timeZone, expected) => {
  const found = clockChanges(timeZone, at('2026-01-01T00:00'), at('2027-01-01T00:00'));
  expect(found.map((change) => new Date(change).toISOString().slice(0, 16))).toEqual(expected);
});

describe('the runs around a change', () => {
  const spring = at('2026-03-29T01:00');
  it('lack a time that the day does not have', () => {
    const daily = ['22T01:30', '23T01:30', '28T01:30', '30T00:30'].map((day) => at(`2026-03-${day}`));
    const runs = [...daily, at('2026-04-05T00:30')];
    expect(unusualTimes('Europe/Berlin', spring, runs)).toEqual({ day: '2026-03-29', missed: ['02:30'], doubled: [] });
  });

  it('lack nothing when the schedule is of another day, or has none that week', () => {
    const mondays = ['2026-03-23T01:30', '2026-03-30T00:30', '2026-04-06T00:30'].map(at);
    expect(unusualTimes('Europe/Berlin', spring, mondays)).toMatchObject({ missed: [], doubled: [] });
    expect(unusualTimes('Europe/Berlin', spring, [])).toMatchObject({ missed: [], doubled: [] });
  });

  it('have a time twice that the day has twice', () => {
    const runs = ['2026-10-18T00:30', '2026-10-25T00:30', '2026-10-25T01:30', '2026-11-01T01:30'].map(at);
    const autumn = at('2026-10-25T01:00');
    expect(unusualTimes('Europe/Berlin', autumn, runs)).toEqual({ day: '2026-10-25', missed: [], doubled: ['02:30'] });
  });
});
