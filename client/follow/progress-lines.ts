/** Progress where nothing can be redrawn: a line for each change. Pure. */
import type { StageRow } from '../../model/release/record.ts';
import { elapsedInWords } from '../../model/base/words.ts';
import { activitiesByRow, besides, noteOf, type ReleaseView } from '../view/activities.ts';

/** Percentages are printed in steps of ten. */
const STEP = 10;

/** The last text printed for each row, so that nothing is printed twice. */
export type Said = ReadonlyMap<string, string>;

/** The new lines of a view, and everything printed so far. */
export function progressLines(view: ReleaseView, said: Said): { lines: string[]; said: Said } {
  const now = new Map<string, string>();
  const lines: string[] = [];
  const activities = activitiesByRow(view);
  const tell = (key: string, words: string, line: string) => {
    now.set(key, words);
    if (words !== '' && said.get(key) !== words) lines.push(line);
  };
  for (const row of view.record.stages) {
    const name = `${row.name} ${row.subject}`;
    const status = statusWords(row);
    tell(`${name} status`, status, `${name}: ${status}`);
    const activity = activities.get(row);
    if (!activity) continue;
    const note = noteOf(activity);
    const percent = note.percent === undefined ? '' : `${Math.floor(note.percent / STEP) * STEP}%`;
    const words = note.waiting ? note.text : percent || (activity.attempt > 1 ? note.text : '');
    tell(`${name} note`, words, `${name}: ${note.text}`);
  }
  for (const text of besides(view)) tell(text, text, text);
  return { lines, said: now };
}

function statusWords(row: StageRow): string {
  switch (row.status) {
    case 'waiting':
    case 'skipped':
      return '';
    case 'running':
      return row.host ? `running on ${row.host}` : 'running';
    case 'done':
      return row.durationMs === null ? 'done' : `done in ${elapsedInWords(row.durationMs)}`;
    case 'held':
    case 'failed':
    case 'cancelled':
      return row.status;
  }
}
