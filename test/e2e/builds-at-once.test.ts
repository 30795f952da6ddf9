/** Two builds at once on one host, whose heredocs, caches and secrets have the same names. */
import { expect, it } from 'vitest';
import { foreignBytes } from '../support/builds-at-once.ts';

it('no byte of one project is in the other', async () => {
  expect(await foreignBytes(1)).toEqual([]);
});
