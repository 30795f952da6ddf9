/** Tables as text. Pure. */
import { visibleLength } from './style.ts';

/** Between two columns. */
export const GAP = '  ';
/** Before what a row has on further lines. */
const FURTHER = '    ';

/**
 * Columns two spaces apart, each as wide as its widest cell; no spaces at a line's end.
 *
 * @param width characters in a line: of a row that is longer, columns beyond them stand on further lines
 */
export function formatTable(
  rows: readonly (readonly string[])[],
  indent = '',
  width = Number.POSITIVE_INFINITY,
): string[] {
  return tableRows(rows, indent, width).flat();
}

/** The lines of each row of {@link formatTable}. */
export function tableRows(rows: readonly (readonly string[])[], indent: string, width: number): string[][] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, visibleLength(cell));
  }
  const lines = intoLines(widths, width - indent.length);
  const below = ' '.repeat(indent.length) + FURTHER;
  return rows.map((row) => {
    const padded = row.map((cell, index) => cell + ' '.repeat(widths[index]! - visibleLength(cell)));
    const whole = indent + padded.join(GAP).trimEnd();
    if (visibleLength(whole) <= width) return [whole];
    const [first, ...further] = lines.map(([from, to]) => padded.slice(from, to).join(GAP).trimEnd());
    return [indent + first, ...further.filter((text) => text !== '').map((text) => below + text)];
  });
}

/** The columns of each line, from and to. */
function intoLines(widths: readonly number[], width: number): [from: number, to: number][] {
  const lines: [number, number][] = [[0, 0]];
  let used = 0;
  for (const [index, needed] of widths.entries()) {
    const line = lines.at(-1)!;
    const isFirst = line[0] === index;
    used += needed + (isFirst ? 0 : GAP.length);
    if (isFirst || used <= width) line[1] = index + 1;
    else {
      lines.push([index, index + 1]);
      used = FURTHER.length + needed;
    }
  }
  return lines;
}
