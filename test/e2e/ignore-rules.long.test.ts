/** As ignore-rules.test.ts, on more trees, from another seed each day. */
import { expect, it } from 'vitest';
import { differencesOf, ignoreCases } from '../support/ignore-cases.ts';

const SEED = Number(process.env.FLIGHTLINE_SEED ?? Math.floor(Date.now() / 86_400_000));

it(`2,000 rules over trees, from the seed ${SEED}`, async () => {
  expect(await differencesOf(ignoreCases(SEED, 2_000))).toEqual([]);
});
