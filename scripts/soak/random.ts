/** Repeatable chance: the same seed gives the same choices. */
export interface Chance {
  /** A number from 0 up to, and not including, 1. */
  next(): number;
  /** A whole number between both, these included. */
  between(least: number, most: number): number;
  /** One of the entries; those with a larger weight more often. */
  pick<Value>(entries: readonly (readonly [weight: number, value: Value])[]): Value;
}

/** Makes one (mulberry32, Tommy Ettinger, public domain). `seed` is a whole number. */
export function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    pick: (entries) => {
      let point = next() * entries.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, value] of entries) {
        point -= weight;
        if (point < 0) return value;
      }
      return entries.at(-1)![1];
    },
  };
}
