/** The benchmark's pure parts: what it makes of numbers, and what it writes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { holds, type Row } from '../../../bench/case.ts';
import { disksOf } from '../../../bench/orchestration/disks.ts';
import { writtenBytes } from '../../../bench/readings.ts';
import { costReport, markdownReport, shown, terminalReport, withMeasured } from '../../../bench/report.ts';
import { exponent, spread } from '../../../bench/statistics.ts';

const ROOT = join(import.meta.dirname, '../../..');

const row: Row = {
  case: 'one image',
  measure: "wall time ÷ script's",
  unit: 'ratio',
  values: [1.2, 0.9, 1.04],
  target: { most: 1.05 },
  note: 'a word on it',
};

describe('figures', () => {
  it.each([
    [[3], { least: 3, median: 3, most: 3 }],
    [[3, 1, 2], { least: 1, median: 2, most: 3 }],
    [[4, 1, 2, 3], { least: 1, median: 2.5, most: 4 }],
  ])('of %j spread so', (values, expected) => {
    expect(spread(values)).toEqual(expected);
  });

  it('of nothing are refused', () => {
    expect(() => spread([])).toThrow('nothing was measured');
  });

  it.each([
    ['proportional', 1, (size: number) => 3 * size],
    ['quadratic', 2, (size: number) => 5 * size ** 2],
    ['independent', 0, () => 7],
  ])('that are %s grow with the exponent %d', (_, expected, figure) => {
    expect(exponent([10, 100, 1_000].map((size) => ({ size, value: figure(size) })))).toBeCloseTo(expected, 10);
  });

  it.each([
    [0.1234, 'ratio', '0.123'],
    [1_234.5, 'MB', '1,235 MB'],
    [0, 'count', '0'],
    [2.946, 'percent', '2.95 %'],
    [612.4, 'per second', '612 /s'],
  ] as const)('like %d are shown', (value, unit, text) => {
    expect(shown(value, unit)).toBe(text);
  });

  it('hold by the median, on either side of a target', () => {
    expect(holds(row, 1.04)).toBe(true);
    expect(holds(row, 1.06)).toBe(false);
    expect(holds({ ...row, target: { least: 600 } }, 599)).toBe(false);
    expect(holds({ ...row, target: { least: 600 } }, 600)).toBe(true);
    const { target: _, ...without } = row;
    expect(holds(without, 1)).toBeUndefined();
  });
});

describe('what is read', () => {
  it('is what really went to the disk', () => {
    const io =
      'rchar: 1\nwchar: 99\nsyscr: 1\nsyscw: 1\nread_bytes: 5\nwrite_bytes: 4096\ncancelled_write_bytes: 1024\n';
    expect(writtenBytes(io)).toBe(3_072);
    expect(writtenBytes('nothing')).toBeNaN();
  });

  it('asks for as many disks as it says', () => {
    for (const count of [1, 3, 6]) expect(Object.keys(disksOf(count))).toHaveLength(count);
  });
});

describe('the report', () => {
  const growth = {
    what: 'time',
    of: 'releases',
    unit: 's',
    points: [1, 10].map((size) => ({ size, value: size })),
  } as const;

  it('shows each row with its target and whether it holds', () => {
    const lines = terminalReport([row, { ...row, values: [2] }], [growth]);
    expect(lines[1]).toMatch(/^one image +wall time ÷ script's +0\.9 +1\.04 +1\.2 +3 +≤ 1\.05 +yes$/);
    expect(lines[2]).toMatch(/≤ 1\.05 +no$/);
    expect(lines.at(-1)).toMatch(/^time +1, 10 releases +1 s, 10 s +1\.00$/);
  });

  it('says in docs/benchmarks.md what a release costs, by the medians', () => {
    const document = readFileSync(join(ROOT, 'docs/benchmarks.md'), 'utf8');
    const rows: Row[] = [
      { ...row, headline: { what: 'one image', times: "the script's time" } },
      { ...row, measure: 'added', unit: 's', values: [1, 3], headline: { what: 'added' } },
      { ...row, case: 'only in the long table' },
    ];
    const written = withMeasured(document, costReport(['2 cores'], rows));
    expect(written).toContain("| one image | 1.04 × the script's time |\n| added | 2 s |\n\n");
    expect(written).toContain('- 2 cores');
    expect(written).not.toContain('only in the long table');
  });

  it('takes the place of the last one in bench/RESULTS.md, and of nothing else', () => {
    const document = readFileSync(join(ROOT, 'bench/RESULTS.md'), 'utf8');
    const measured = markdownReport(['2 cores'], [row], [growth]);
    const written = withMeasured(document, measured);
    expect(written).toContain("| one image | wall time ÷ script's | 0.9 | 1.04 | 1.2 | 3 | ≤ 1.05 | yes |");
    expect(written).toContain('a word on it');
    expect(written.split('\n')[0]).toBe(document.split('\n')[0]);
    expect(withMeasured(written, measured)).toBe(written);
    expect(() => withMeasured('# Other', measured)).toThrow('no lines that mark');
  });
});
