import { expect, test } from 'vitest';
import { DEFAULT_TIMING, isTiming, TimingSchema, timingWith, withoutDefaults } from '../../../../model/base/timing.ts';

test.each([{}, { claimRetry: 500 }, { holdFor: 1_000, stall: 2_000 }])(
  'a timing without its defaults is read as the whole: %o',
  (changes) => {
    const timing = timingWith(changes);
    expect(withoutDefaults(timing)).toEqual(changes);
    expect(TimingSchema.parse(withoutDefaults(timing))).toEqual(timing);
  },
);

test.each([
  [DEFAULT_TIMING, true],
  [{ claimRetry: 0 }, false],
  [{ claimRetry: '3s' }, false],
  [null, false],
])('%o as a timing: %s', (value, expected) => {
  expect(isTiming(value)).toBe(expected);
});

test('a lost host is noticed within two minutes, also between two activities', () => {
  const { heartbeatTimeout, hostScheduleToStart, probeScheduleToStart, probeStartToClose } = DEFAULT_TIMING;
  const silence = Math.max(heartbeatTimeout, hostScheduleToStart);
  // A probe either is not taken, or was given to a worker that no longer answers; two are asked.
  const probes = 2 * Math.max(probeScheduleToStart, probeStartToClose);
  expect(silence + probes).toBeLessThanOrEqual(120_000);
});

test('a lease that nobody uses is free within two minutes', () => {
  expect(DEFAULT_TIMING.leaseLifetime).toBeLessThanOrEqual(120_000);
});
