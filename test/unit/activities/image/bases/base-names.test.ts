import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { isHeldName, withHeldName } from '../../../../../activities/image/bases/base-names.ts';

/** A builder that is given a name, and uses it until it is told to end. */
function builder(image: string, given: string[], signal = new AbortController().signal) {
  const told = new AbortController();
  const ended = once(told.signal, 'abort');
  const give = async () => {
    given.push(image);
    await setImmediate();
  };
  const body = async () => {
    given.push(`${image} is used`);
    await ended;
    given.push(`${image} is done`);
  };
  return { done: withHeldName('r/os:nightly', image, signal, give, body), end: () => told.abort() };
}

it('is one image’s while a builder uses it, and then the next one’s', async () => {
  const given: string[] = [];
  const [one, other] = [builder('a', given), builder('b', given)];
  await setImmediate();
  await setImmediate();
  expect(isHeldName('r/os:nightly')).toBe(true);
  one.end();
  other.end();
  await Promise.all([one.done, other.done]);
  expect(given).toEqual(['a', 'a is used', 'a is done', 'b', 'b is used', 'b is done']);
  expect(isHeldName('r/os:nightly')).toBe(false);
});

it('is given once to all builders of one image', async () => {
  const given: string[] = [];
  const [one, other] = [builder('a', given), builder('a', given)];
  one.end();
  other.end();
  await Promise.all([one.done, other.done]);
  expect(given.filter((line) => line === 'a')).toEqual(['a']);
  expect(isHeldName('r/os:nightly')).toBe(false);
});

it('is not waited for by a builder that is cancelled', async () => {
  const given: string[] = [];
  const cancelled = new AbortController();
  const one = builder('a', given);
  const other = builder('b', given, cancelled.signal);
  await setImmediate();
  cancelled.abort();
  await expect(other.done).rejects.toThrow(/abort/);
  one.end();
  await one.done;
  expect(given).not.toContain('b');
});
