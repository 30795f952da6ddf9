import { z } from 'zod';

/** How many tests ended how. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export const NO_TESTS: Counts = { passed: 0, failed: 0, skipped: 0 };

/** The part of vitest's JSON report that is counted. */
const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
});

/** Counts in a report of vitest's `json` reporter. Throws on anything else. */
export function countsIn(report: string): Counts {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = Report.parse(JSON.parse(report));
  return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests };
}

/**
 * Adds a step to the sum. A step that failed without a failed test (a file that does not load, a lint error) counts as
 * one failure: a failed run never says "0 failed".
 */
export function add(sum: Counts, step: Counts, ok: boolean): Counts {
  return {
    passed: sum.passed + step.passed,
    failed: sum.failed + (ok ? step.failed : Math.max(step.failed, 1)),
    skipped: sum.skipped + step.skipped,
  };
}

/** The closing line that continuous integration reads: `12 passed, 0 failed`, then `, 1 skipped` where some were. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
