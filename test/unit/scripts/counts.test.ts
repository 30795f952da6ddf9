import { expect, test } from 'vitest';
import { add, closingLine, countsIn, NO_TESTS } from '../../../scripts/test/counts.ts';
import { formatDuration } from '../../../scripts/test/run-step.ts';

test('vitest’s report is counted', () => {
  const report = { numPassedTests: 3, numFailedTests: 1, numPendingTests: 2, numTodoTests: 1, testResults: [] };
  expect(countsIn(JSON.stringify(report))).toEqual({ passed: 3, failed: 1, skipped: 3 });
  expect(() => countsIn('{}')).toThrow();
});

test.each([
  [true, { passed: 2, failed: 0, skipped: 0 }, '2 passed, 0 failed'],
  [false, { passed: 2, failed: 3, skipped: 0 }, '2 passed, 3 failed'],
  // A step that fails before any test does is a failure too.
  [false, NO_TESTS, '0 passed, 1 failed'],
  [true, { passed: 1, failed: 0, skipped: 4 }, '1 passed, 0 failed, 4 skipped'],
])('closing line after ok=%s %o', (ok, counts, line) => {
  expect(closingLine(add(NO_TESTS, counts, ok))).toBe(line);
});

test.each([
  [3210, '3.2 s'],
  [250_000, '4 min 10 s'],
])('%i ms', (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});
