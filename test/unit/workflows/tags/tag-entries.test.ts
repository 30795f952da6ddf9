/** Whether a shared tag may move, what it pointed at before, and how much of that is kept. */
import { describe, expect, test } from 'vitest';
import { jsonBytes } from '../../../../model/failure/failure.ts';
import { refusalOfMove, type TagEntry } from '../../../../model/tags/shared-tag.ts';
import { entryBefore, keptEntries } from '../../../../workflows/tags/tag-entries.ts';
import { digestOf } from '../../../workflows/facts.ts';

/** An entry for an image by its name, made and moved on days of one month. */
function entry(image: string, made: number | null, at: number, more: Partial<TagEntry> = {}): TagEntry {
  return {
    kind: 'release',
    digest: digestOf(image),
    record: digestOf(`record of ${image}`),
    release: `release/quay.io/acme/camera:${image}`,
    made: made === null ? null : day(made),
    at: day(at),
    by: null,
    why: `released ${image}`,
    ...more,
  };
}

const day = (number: number) => new Date(Date.UTC(2026, 0, number)).toISOString();
const rolledBack = (image: string, made: number, at: number) => entry(image, made, at, { kind: 'rollback', by: 'ann' });

describe('a move', () => {
  const move = (image: string, made: number | null, more: object = {}) => ({
    kind: 'release' as const,
    digest: digestOf(image),
    made: made === null ? null : day(made),
    allowOlder: false,
    ...more,
  });
  test.each([
    ['the first', [], move('a', 1), null],
    ['to what was made later', [entry('a', 1, 2)], move('b', 2), null],
    [
      'to what was made earlier',
      [entry('b', 2, 3)],
      move('a', 1),
      /points at .* of quay.io\/acme\/camera:b.* later, at 2026-01-02/,
    ],
    ['to what was made earlier, by a promotion', [entry('b', 2, 3)], move('a', 1, { kind: 'promotion' }), /later/],
    ['to what was made earlier, when told to', [entry('b', 2, 3)], move('a', 1, { allowOlder: true }), null],
    ['to what is there', [entry('b', 2, 3)], move('b', 1), null],
    ['from something of an unknown age', [entry('x', null, 3, { kind: 'found' })], move('a', 1), null],
    ['to something of an unknown age', [entry('b', 2, 3)], move('x', null), null],
    [
      'after a rollback, by a release that had begun before',
      [entry('b', 2, 3), rolledBack('a', 1, 6)],
      move('c', 5),
      /ann rolled it back/,
    ],
    ['after a rollback, by a later release', [entry('b', 2, 3), rolledBack('a', 1, 6)], move('c', 7), null],
    [
      'after a rollback, by a promotion',
      [entry('b', 2, 3), rolledBack('a', 1, 6)],
      move('c', 5, { kind: 'promotion' }),
      null,
    ],
  ])('%s', (_, entries, asked, refusal) => {
    const answer = refusalOfMove(entries, asked);
    if (refusal === null) expect(answer).toBeNull();
    else expect(answer).toMatch(refusal);
  });
});

describe('what it pointed at before', () => {
  const [a, b, c] = [entry('a', 1, 1), entry('b', 2, 2), entry('c', 3, 3)];
  test.each([
    ['nothing', [], undefined],
    ['nothing, after one move', [a], undefined],
    ['the one before', [a, b], a],
    ['the one before, also when it moved to the same twice', [a, b, b], a],
    ['further back after a rollback', [a, b, c, rolledBack('b', 2, 4)], a],
    ['nothing after the last rollback', [a, b, rolledBack('a', 1, 4)], undefined],
    ['the one before, when it went on after a rollback', [a, b, rolledBack('a', 1, 4), c], b],
    ['the one before, of what was moved to again', [a, b, entry('a', 1, 5)], b],
  ])('%s', (_, entries, before) => {
    expect(entryBefore(entries)).toEqual(before);
  });
});

test('the newest entries are kept, as many as fit in a payload', () => {
  const entries = Array.from({ length: 100 }, (_, number) => entry(`v${number}`, 1, 1));
  const kept = keptEntries(entries);
  expect(kept.length).toBeGreaterThan(10);
  expect(kept.at(-1)).toBe(entries.at(-1));
  expect(jsonBytes(kept)).toBeLessThanOrEqual(8_000);
  expect(jsonBytes(entries.slice(-kept.length - 1))).toBeGreaterThan(8_000);
});
