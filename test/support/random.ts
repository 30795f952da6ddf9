/** Numbers from a seed, for generated cases that can be made again. */
import { chance } from '../../scripts/soak/random.ts';

/** What generators choose by. */
export interface Random {
  /** From 0 to below 1. */
  next: () => number;
  /** A whole number from 0 to below the limit. */
  below: (limit: number) => number;
  pick: <Item>(items: readonly Item[]) => Item;
  /** `true` in this part (0 to 1) of the cases. */
  chance: (part: number) => boolean;
}

/** The same choices for the same seed. */
export function randomFrom(seed: number): Random {
  const numbers = chance(seed);
  const next = () => numbers.next();
  const below = (limit: number) => Math.floor(next() * limit);
  return { next, below, pick: (items) => items[below(items.length)]!, chance: (part) => next() < part };
}
