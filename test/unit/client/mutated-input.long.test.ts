/** As mutated-input.test.ts, with 10,000 others each time; `MUTATED_SEED=… npm run test:long` tries the same again. */
import { expect, it } from 'vitest';
import { readMutated } from '../../support/mutated-input.ts';

it('says in at most five lines what is wrong with 10,000 mutated files', async () => {
  const seed = Number(process.env['MUTATED_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`10,000 mutated files from seed ${seed} on`);
  expect((await readMutated(10_000, seed)).offences).toEqual([]);
});
