/** Shows a release's progress: redrawn in place on a terminal, a line for each change elsewhere. */
import type { Output } from '../terminal/output.ts';
import { clockInWords } from '../../model/base/words.ts';
import type { ReleaseView } from '../view/activities.ts';
import { progressLines, type Said } from './progress-lines.ts';
import { renderRelease } from '../view/release.ts';

/** Where progress is shown. */
interface Display {
  show(view: ReleaseView): void;
  /** Says something between; on a terminal it stays above the table. */
  note(text: string): void;
  /** Ends the drawing; the last table stays. */
  close(): void;
}

/** The display that fits the output. */
export function displayFor(output: Output): Display {
  return output.live ? liveDisplay(output) : lineDisplay(output);
}

function lineDisplay(output: Output): Display {
  let said: Said = new Map();
  const print = (text: string, at = Date.now()) => output.note(`${clockInWords(new Date(at))} ${text}`);
  return {
    show: (view) => {
      const told = progressLines(view, said, Date.now());
      said = told.said;
      for (const { text, at } of told.lines) print(text, at);
    },
    note: (text) => print(text),
    close: () => undefined,
  };
}

/** Rows left free, so that the table never scrolls: what scrolled away cannot be redrawn. */
const MARGIN = 2;

function liveDisplay(output: Output): Display {
  let drawn = 0;
  const erase = () => {
    if (drawn > 0) process.stderr.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  return {
    show: (view) => {
      const columns = process.stderr.columns ?? 80;
      const rows = Math.max(5, (process.stderr.rows ?? 24) - MARGIN);
      const lines = renderRelease(view, { colour: output.colour.progress, columns, now: Date.now() });
      const shown = lines.length > rows ? [lines[0]!, ...lines.slice(lines.length - rows + 1)] : lines;
      erase();
      process.stderr.write(`${shown.join('\n')}\n`);
      drawn = shown.length;
    },
    note: (text) => {
      erase();
      process.stderr.write(`${text}\n`);
    },
    close: () => void (drawn = 0),
  };
}
