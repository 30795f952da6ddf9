/** Progress where nothing can be redrawn: a line for each change. Pure. */
import type { StageRow } from '../../model/release/record.ts';
import { elapsedInWords } from '../../model/base/words.ts';
import { activitiesByRow, besides, buildStep, noteOf, type ReleaseView } from '../view/activities.ts';

/** Percentages are printed in steps of ten. */
const STEP = 10;

/** The last text printed for each row, so that nothing is printed twice. */
export type Said = ReadonlyMap<string, string>;

/** A line, and when what it says came to be, in milliseconds since 1970. */
interface ProgressLine {
  at: number;
  text: string;
}

/** The new lines of a view, the earliest first, and everything printed so far. */
export function progressLines(view: ReleaseView, said: Said, now: number): { lines: ProgressLine[]; said: Said } {
  const told = new Map<string, string>();
  const lines: ProgressLine[] = [];
  const activities = activitiesByRow(view);
  const tell = (key: string, words: string, text: string, at = now) => {
    told.set(key, words);
    if (words !== '' && said.get(key) !== words) lines.push({ at, text });
  };
  for (const row of view.record.stages) {
    const name = `${row.name} ${row.subject}`;
    const status = statusWords(row);
    tell(`${name} status`, status, `${name}: ${status}`, timeOf(row));
    const activity = activities.get(row);
    if (!activity) continue;
    const note = noteOf(activity);
    const percent = note.percent === undefined ? '' : `${Math.floor(note.percent / STEP) * STEP}%`;
    const step = note.waiting ? '' : buildStep(activity);
    const words = step || (note.waiting ? note.text : percent || (activity.attempt > 1 ? note.text : ''));
    tell(`${name} note`, words, `${name}: ${step || note.text}`);
  }
  for (const text of besides(view)) tell(text, text, text);
  return { lines: lines.toSorted((left, right) => left.at - right.at), said: told };
}

/** What still goes on, for a log that would be silent: CI systems end jobs that say nothing. */
export function stillLines(view: ReleaseView, now: number): string[] {
  const activities = activitiesByRow(view);
  const lines = view.record.stages.flatMap((row) => {
    const activity = activities.get(row);
    if (row.status !== 'running' && !activity) return [];
    const since =
      row.startedAt === null || row.status !== 'running'
        ? ''
        : ` for ${elapsedInWords(now - Date.parse(row.startedAt))}`;
    const { text, line } = activity ? noteOf(activity) : { text: '', line: '' };
    const what = [(activity && buildStep(activity)) || text, line].filter((words) => words !== '').join(' | ');
    return [`${row.name} ${row.subject}: ${row.status}${since}${what && `, ${what}`}`];
  });
  return lines.length > 0 ? lines : [`the release is ${view.record.status}`];
}

/** When a stage came to its status; undefined where the record does not say. */
function timeOf({ status, startedAt, durationMs }: StageRow): number | undefined {
  if (startedAt === null) return undefined;
  const start = Date.parse(startedAt);
  if (status === 'running') return start;
  return durationMs === null ? undefined : start + durationMs;
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
