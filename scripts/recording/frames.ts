/** What a terminal showed, as pictures of its screen: by a terminal's own rules. */
import xterm from '@xterm/headless';
import type { Shown } from './typed-terminal.ts';

/** Cells of a line that look the same. */
export interface Run {
  /** Column of the first, from 0. */
  column: number;
  text: string;
  /** Of the sixteen colours; null for the usual one. */
  colour: number | null;
  bold: boolean;
  dim: boolean;
}

/** A screen, and how long it stood (ms). */
export interface Frame {
  lines: Run[][];
  milliseconds: number;
}

export interface FrameOptions {
  columns: number;
  rows: number;
  /** Index of the first piece that is shown; those before only prepare the screen. */
  from: number;
  /** Screens that stand for less are left out (ms). */
  shortest: number;
  /** Longer pauses are cut to this (ms). */
  longest: number;
  /** How long the last one stands (ms). */
  last: number;
}

/** The frames of what was shown. */
export async function framesOf(pieces: readonly Shown[], options: FrameOptions): Promise<Frame[]> {
  const { columns, rows, from, shortest, longest, last } = options;
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
  const frames: Frame[] = [];
  for (const [index, { at, text }] of pieces.entries()) {
    await new Promise<void>((resolve) => terminal.write(text, resolve));
    const next = pieces[index + 1];
    const stands = next ? next.at - at : last;
    if (index < from - 1 || (next && stands < shortest)) continue;
    const lines = screenOf(terminal, rows);
    const before = frames.at(-1);
    const milliseconds = next ? Math.min(stands, longest) : last;
    if (before && JSON.stringify(before.lines) === JSON.stringify(lines)) {
      before.milliseconds = Math.max(before.milliseconds, Math.min(before.milliseconds + milliseconds, longest));
    } else frames.push({ lines, milliseconds });
  }
  return frames;
}

function screenOf(terminal: InstanceType<typeof xterm.Terminal>, rows: number): Run[][] {
  const { active } = terminal.buffer;
  return Array.from({ length: rows }, (_, row) => {
    const line = active.getLine(active.baseY + row)!;
    const runs: Run[] = [];
    for (let column = 0; column < line.length; column++) {
      const cell = line.getCell(column)!;
      const text = cell.getChars() || ' ';
      const colour = cell.isFgPalette() && cell.getFgColor() < 16 ? cell.getFgColor() : null;
      const looks = { colour, bold: cell.isBold() !== 0, dim: cell.isDim() !== 0 };
      const run = runs.at(-1);
      if (run && run.colour === looks.colour && run.bold === looks.bold && run.dim === looks.dim) run.text += text;
      else runs.push({ column, text, ...looks });
    }
    return runs
      .map((run) => ({ ...run, text: run.text.trimEnd() }))
      .filter(({ text }) => text !== '')
      .map((run) => ({
        ...run,
        column: run.column + (run.text.length - run.text.trimStart().length),
        text: run.text.trimStart(),
      }));
  });
}
