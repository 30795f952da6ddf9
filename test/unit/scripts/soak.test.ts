import { describe, expect, it } from 'vitest';
import { DEFAULT_TIMING } from '../../../model/base/timing.ts';
import { chance } from '../../../scripts/soak/random.ts';
import { median } from '../../../scripts/soak/restart-cost.ts';
import { nextWish, unlike } from '../../../scripts/soak/wish.ts';

describe('the soak', () => {
  it('makes the same choices from the same seed', () => {
    const wishes = (seed: number) => {
      const own = chance(seed);
      return Array.from({ length: 20 }, () => nextWish(own));
    };
    expect(wishes(7)).toEqual(wishes(7));
    expect(wishes(7)).not.toEqual(wishes(8));
  });

  it('chooses every entry, and numbers from end to end', () => {
    const own = chance(1);
    const picked = Array.from({ length: 200 }, () =>
      own.pick([
        [1, 'rare'],
        [9, 'frequent'],
      ]),
    );
    expect(picked.filter((one) => one === 'rare').length).toBeGreaterThan(5);
    expect(picked.filter((one) => one === 'rare').length).toBeLessThan(50);
    const numbers = Array.from({ length: 200 }, () => own.between(3, 5));
    expect(new Set(numbers)).toEqual(new Set([3, 4, 5]));
  });

  it.each([
    ['released', 'released', undefined],
    ['released', 'held', 'it should be released, and is held'],
    ['cancelled', 'released', undefined],
    ['cancelled', 'failed', 'it should be cancelled, and is failed'],
    ['held', 'held', undefined],
    ['mended', 'failed', 'it should be mended, and is failed'],
  ] as const)('judges a release that should be %s and is %s', (wish, status, problem) => {
    expect(unlike(wish, status)).toBe(problem);
  });

  it('takes the value in the middle', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([2])).toBe(2);
  });
});

describe('the default timings', () => {
  it('notice a lost host within two minutes, also between two activities', () => {
    const { heartbeatTimeout, hostScheduleToStart, probeScheduleToStart, probeStartToClose } = DEFAULT_TIMING;
    const silence = Math.max(heartbeatTimeout, hostScheduleToStart);
    // A probe either is not taken, or was given to a worker that no longer answers; two are asked.
    const probes = 2 * Math.max(probeScheduleToStart, probeStartToClose);
    expect(silence + probes).toBeLessThanOrEqual(120_000);
  });

  it('free a lease that nobody uses within two minutes', () => {
    expect(DEFAULT_TIMING.leaseLifetime).toBeLessThanOrEqual(120_000);
  });
});
