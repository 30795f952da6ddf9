/** Shows a release's progress: redrawn in place on a terminal, a line for each change elsewhere. */
import type { Output } from '../terminal/output.ts';
import { clockInWords } from '../../model/base/words.ts';
import { noteOf, type PendingActivity, type ReleaseView } from '../view/activities.ts';
import { fitted } from './fitted.ts';
import { releaseLines } from '../view/release.ts';
import { visibleLength } from '../view/style.ts';
import { progressLines, stillLines, type Said } from './progress-lines.ts';

/** Where progress is shown. */
export interface Display {
  /** Called at least every few seconds, also when nothing has changed. */
  show(view: ReleaseView): void;
  /** Says something between; on a terminal it stays above the table. */
  note(text: string): void;
  /** Ends the drawing; the last table stays. */
  close(): void;
}

/** A terminal; standard error but for tests. */
interface Screen {
  columns?: number;
  rows?: number;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

/** The display that fits the output. */
export function displayFor(output: Output, screen: Screen = process.stderr): Display {
  return output.live ? liveDisplay(output, screen) : lineDisplay(output);
}

/** Milliseconds after which silence is broken. */
const SILENCE = 30_000;

function lineDisplay(output: Output): Display {
  let said: Said = new Map();
  let last = Date.now();
  const print = (text: string, at = Date.now()) => {
    last = Date.now();
    output.note(`${clockInWords(new Date(at))} ${text}`);
  };
  return {
    show: (view) => {
      const now = Date.now();
      const told = progressLines(view, said, now);
      said = told.said;
      for (const { text, at } of told.lines) print(text, at);
      if (now - last >= SILENCE) for (const text of stillLines(view, now)) print(text);
    },
    note: (text) => print(text),
    close: () => undefined,
  };
}

/** Rows left free, so that the table never scrolls: what scrolled away cannot be redrawn. */
const MARGIN = 2;

function liveDisplay(output: Output, screen: Screen): Display {
  let drawn: string[] = [];
  let seen: ReleaseView | undefined;
  const telling = new Map<string, string>();
  const erase = () => {
    const columns = screen.columns ?? 80;
    // A terminal that has become narrower shows a line in several.
    const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(visibleLength(line) / columns)), 0);
    if (rows > 0) screen.write(`\u001b[${rows}A\r\u001b[J`);
    drawn = [];
  };
  const draw = () => {
    if (!seen) return;
    const options = { colour: output.colour.progress, columns: screen.columns ?? 80, now: Date.now() };
    const lines = fitted(releaseLines(seen, options), Math.max(2, (screen.rows ?? 24) - MARGIN));
    erase();
    screen.write(`${lines.join('\n')}\n`);
    drawn = lines;
  };
  screen.on('resize', draw);
  return {
    show: (view) => {
      seen = { ...view, activities: view.activities.map((activity) => withTellingLine(activity, telling)) };
      draw();
    },
    note: (text) => {
      erase();
      screen.write(`${text}\n`);
      draw();
    },
    close: () => {
      screen.off('resize', draw);
      drawn = [];
      seen = undefined;
    },
  };
}

/** Keeps the last line of output that said something, until another does: rows do not jump. */
function withTellingLine(activity: PendingActivity, telling: Map<string, string>): PendingActivity {
  const { branch, type, progress } = activity;
  if (!progress) return activity;
  const key = `${branch} ${type}`;
  const { line } = noteOf(activity);
  if (line !== '') telling.set(key, line);
  return { ...activity, progress: { ...progress, line: telling.get(key) } };
}
