/** Mistakes in what users write: a plan, or exit code 2 and at most five lines. */
import { expect, it } from 'vitest';
import { readMutated } from '../../support/mutated-input.ts';

it('says in at most five lines what is wrong with 300 mutated files', { timeout: 120_000 }, async () => {
  const { offences, refused } = await readMutated(300, 1);
  expect(offences).toEqual([]);
  expect(refused).toBeGreaterThan(100);
});
