import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { together } from '../../../../activities/tools/together.ts';

it('answers in the order of the items', async () => {
  expect(await together([30, 1, 10], (item) => pause(item, item))).toEqual([30, 1, 10]);
});

it('throws the first failure in the order of the items, once what runs has ended, and begins no other', async () => {
  const ended: number[] = [];
  const items = Array.from({ length: 20 }, (_, item) => item);
  const work = together(items, async (item) => {
    // The second fails before the first.
    await pause(item === 0 ? 30 : 5 + item);
    ended.push(item);
    if (item < 2) throw new Error(`item ${item}`);
  });
  await expect(work).rejects.toThrow('item 0');
  expect(new Set(ended)).toEqual(new Set([0, 1, 2, 3, 4, 5]));
});
