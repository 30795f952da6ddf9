/** As same-as-podman.test.ts builds two projects at once, more often. */
import { expect, it } from 'vitest';
import { foreignBytes } from '../support/builds-at-once.ts';

it('two projects at once, 20 times: no byte of one is in the other', async () => {
  expect(await foreignBytes(20)).toEqual([]);
});
