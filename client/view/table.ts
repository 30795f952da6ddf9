/** Tables as text. Pure. */
import { visibleLength } from './style.ts';

/** Columns two spaces apart, each as wide as its widest cell; no spaces at a line's end. */
export function formatTable(rows: readonly (readonly string[])[], indent = ''): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, visibleLength(cell));
  }
  return rows.map((row) =>
    (indent + row.map((cell, index) => cell + ' '.repeat(widths[index]! - visibleLength(cell))).join('  ')).trimEnd(),
  );
}
