/** The lines of a release in a screen that is lower than they are. Pure. */
import type { ReleaseLine } from '../view/release.ts';

/**
 * Folds what does not fit: stages that are done, the oldest first, then those to come, the last first, then the output
 * below the rows. What runs, is held or has failed is left out last.
 *
 * @param rows lines that the screen has, at least 2
 */
export function fitted(lines: readonly ReleaseLine[], rows: number): string[] {
  if (lines.length <= rows) return lines.map(({ text }) => text);
  const [head, ...body] = lines;
  const done = body.filter(({ kind }) => kind === 'done');
  const ahead = body.filter(({ kind }) => kind === 'ahead');
  const excess = lines.length - rows;
  // The line that says how many are folded takes a place itself.
  const foldedDone = Math.min(done.length, excess + 1);
  const afterDone = excess - (foldedDone > 0 ? foldedDone - 1 : 0);
  const foldedAhead = afterDone > 0 ? Math.min(ahead.length, afterDone + 1) : 0;
  const afterAhead = afterDone - (foldedAhead > 0 ? foldedAhead - 1 : 0);
  const output = afterAhead > 0 ? body.filter(({ kind }) => kind === 'output').slice(-afterAhead) : [];
  const hidden = new Set([...done.slice(0, foldedDone), ...ahead.slice(ahead.length - foldedAhead), ...output]);
  const shown = [
    head!.text,
    ...(foldedDone > 0 ? [`  … ${counted(foldedDone)} done`] : []),
    ...body.filter((line) => !hidden.has(line)).map(({ text }) => text),
    ...(foldedAhead > 0 ? [`  … ${counted(foldedAhead)} to come`] : []),
  ];
  return shown.slice(0, rows);
}

function counted(number: number): string {
  return `${number} ${number === 1 ? 'stage' : 'stages'}`;
}
