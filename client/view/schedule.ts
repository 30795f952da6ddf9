/** Schedules in words. Pure. */
import { timeInWords } from '../../model/base/words.ts';
import type { CompareResult } from '../../model/contract/control.ts';
import type { NightlyResult } from '../../model/release/nightly.ts';
import { formatTable } from './table.ts';
import { plain, style, type Style } from './style.ts';

/** A schedule, as `--json` prints it. */
export interface ScheduleFacts {
  /** `nightly/<repository>`. */
  id: string;
  repository: string;
  cron: string;
  timeZone: string;
  supersede: boolean;
  paused: boolean;
  /** Why it is paused; null without a reason. */
  note: string | null;
  /** URL and ref of a git context; `sent once` for a directory. */
  context: string;
  /** As written, with their templates. */
  tag: string;
  alsoTag: string[];
  rebuild: 'always' | 'when-changed';
  /** Workflow id of the current run; null when none runs. */
  running: string | null;
  /** Runs that were left out: the one before was not done yet, or the server was away for too long. */
  leftOut: { overlap: number; late: number };
  /** ISO 8601; null before the first run. */
  lastAt: string | null;
  /** ISO 8601; null while it is paused. */
  nextAt: string | null;
}

/** One run of a schedule. */
export interface NightlyRun {
  /** When it began, and for when it was scheduled, ISO 8601. */
  at: string;
  scheduledAt: string;
  outcome: NightlyResult['outcome'] | 'running' | 'forgotten';
  release: string | null;
  reason: string;
  standing: string | null;
}

/** What a run would do now. */
export interface NowFacts {
  change: CompareResult['change'] | 'unknown';
  reason: string;
}

const time = (iso: string | null) => (iso === null ? '' : timeInWords(new Date(iso)));

/** A row for each schedule. */
export function renderSchedules(schedules: readonly ScheduleFacts[], columns: number | undefined): string[] {
  if (schedules.length === 0) return ['no schedules yet: make one with `flightline schedule set`'];
  const rows = schedules.map((one) => [one.repository, one.cron, one.timeZone, time(one.lastAt), nextOf(one)]);
  return formatTable([['REPOSITORY', 'CRON', 'TIME ZONE', 'LAST', 'NEXT'], ...rows], '', columns);
}

function nextOf({ paused, note, nextAt }: ScheduleFacts): string {
  return paused ? `paused${note === null ? '' : `: ${plain(note)}`}` : time(nextAt) || 'never';
}

const WOULD: Record<NowFacts['change'], string> = {
  image: 'a release',
  part: 'what is missing beside the image that stands',
  none: 'nothing',
  unknown: 'not known',
};

/** One schedule with its runs. */
export function renderSchedule(
  shown: ScheduleFacts & { runs: readonly NightlyRun[]; now: NowFacts },
  colour: boolean,
  columns?: number,
): string[] {
  const paint = style(colour);
  const also = shown.alsoTag.length > 0 ? `, also ${shown.alsoTag.join(', ')}` : '';
  const facts = [
    ['runs', `${shown.cron} (${shown.timeZone})`],
    ['next', nextOf(shown)],
    ...leftOutOf(shown),
    ['tag', `${shown.tag}${also}`],
    ['context', shown.context],
    ['rebuild', shown.rebuild],
    ['now', `${WOULD[shown.now.change]}: ${plain(shown.now.reason)}`],
  ];
  const runs = shown.runs.map((run) => [
    time(run.at),
    paintOutcome(run.outcome, paint),
    run.release ?? '',
    plain(run.reason.replaceAll('\n', ' ')),
  ]);
  return [
    paint.bold(shown.repository),
    ...formatTable(
      facts.map(([name = '', text = '']) => [paint.dim(name), text]),
      '  ',
      columns,
    ),
    ...(runs.length > 0 ? ['', ...formatTable(runs, '', columns)] : ['', 'no runs yet']),
  ];
}

function leftOutOf({ leftOut: { overlap, late } }: ScheduleFacts): [string, string][] {
  const why = [
    ...(overlap > 0 ? [`${overlap} while the one before was under way`] : []),
    ...(late > 0 ? [`${late} while Temporal was away`] : []),
  ];
  return why.length > 0 ? [['left out', why.join(', ')]] : [];
}

function paintOutcome(outcome: NightlyRun['outcome'], paint: Style): string {
  switch (outcome) {
    case 'released':
    case 'unchanged':
      return paint.green(outcome);
    case 'failed':
      return paint.red(outcome);
    case 'held':
      return paint.yellow(outcome);
    default:
      return outcome;
  }
}
