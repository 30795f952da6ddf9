/** What is known of a release at one moment: its record, and what its pending activities say of themselves. Pure. */
import { z } from 'zod';
import { isCleanUp, roleOf, stageOf } from '../../model/contract/activities.ts';
import { clockInWords } from '../../model/base/words.ts';
import type { Progress } from '../../model/stage/progress.ts';
import { StageRow, type ReleaseRecord } from '../../model/release/record.ts';
import { isOfImage, STAGES, type Stage } from '../../model/stage/stage.ts';
import { plain } from './style.ts';

/** A pending activity of the release or of one of its builder runs. */
export interface PendingActivity {
  /** `image` for the release itself, else the subject of the builder run. */
  branch: string;
  /** Activity type, such as `diskBuild`. */
  type: string;
  /** Which start it is, or will be, from 1. */
  attempt: number;
  /** A worker has it; else it waits for one, or for its next try. */
  started: boolean;
  progress: Progress | null;
  /** Why the last attempt ended, in words; null at the first. */
  lastFailure: string | null;
  /** For whom it waits, in words; null when a worker has it, or only just not. */
  waitsFor: string | null;
}

/** A release as it is shown. */
export interface ReleaseView {
  record: ReleaseRecord;
  activities: PendingActivity[];
  /** Milliseconds since 1970 from which no control worker answered, so that the record is of that time. */
  unansweredSince?: number;
}

/** What a builder run answers to the `record` query. */
export const BranchState = z.object({ stages: z.array(StageRow) });

const key = (row: StageRow) => `${row.name} ${row.subject}`;

/** The release's rows. Rows of running builder runs replace its own copies, which are older. */
export function mergeStages(release: readonly StageRow[], branches: readonly (readonly StageRow[])[]): StageRow[] {
  const newer = new Map(branches.flat().map((row) => [key(row), row]));
  const merged = release.map((row) => newer.get(key(row)) ?? row);
  const known = new Set(release.map(key));
  const added = [...newer.values()].filter((row) => !known.has(key(row)));
  if (added.length === 0) return merged;
  // What the release has not heard of yet belongs before its own last stages.
  const last = merged.findIndex((row) => STAGES.indexOf(row.name) >= STAGES.indexOf('tag'));
  return last < 0 ? [...merged, ...added] : [...merged.slice(0, last), ...added, ...merged.slice(last)];
}

/** `true` for the stage that an activity works for; a claim is for any that runs on a host. */
function worksFor({ type }: PendingActivity, stage: Stage): boolean {
  return type === 'claim' ? roleOf(stage) === 'build' : stageOf(type) === stage;
}

/** `true` when a row belongs to a branch: its subject is the branch, or one of the disk types of the builder run. */
function isOfBranch(row: StageRow, branch: string): boolean {
  // The release itself also signs disks that are joined, or taken over.
  if (branch === 'image') return isOfImage(row.subject) || row.subject === 'release' || roleOf(row.name) === 'sign';
  return row.subject === branch || branch.split('+').includes(row.subject);
}

/**
 * Gives each row its pending activity. Of several rows of a stage that could be meant, the running ones are taken
 * first, in order: a branch publishes its disks one after the other.
 */
export function activitiesByRow(view: ReleaseView): Map<StageRow, PendingActivity> {
  const taken = new Map<StageRow, PendingActivity>();
  for (const activity of view.activities) {
    const rows = view.record.stages.filter(
      (row) =>
        worksFor(activity, row.name) &&
        isOfBranch(row, activity.branch) &&
        (activity.progress?.subject ?? row.subject) === row.subject &&
        !taken.has(row),
    );
    const row =
      rows.find(({ status }) => status === 'running') ??
      rows.find(({ status }) => status === 'waiting') ??
      rows.find(({ status }) => status === 'held');
    if (row) taken.set(row, activity);
  }
  return taken;
}

/** What a row's activity does or waits for. */
interface Note {
  /** Percentage and step, or the reason for waiting. */
  text: string;
  /** Last line of output. */
  line: string;
  /** 0 to 100; undefined when the activity does not count. */
  percent: number | undefined;
  /** `true` when it waits for a slot or for its next try. */
  waiting: boolean;
}

/** Puts an activity in words. */
export function noteOf(activity: PendingActivity): Note {
  const { progress, lastFailure, waitsFor } = activity;
  if (!activity.started && lastFailure) {
    const reason = inOneLine(lastFailure);
    const text = activity.type === 'claim' ? `waiting: ${reason}` : `next try (${activity.attempt}) after: ${reason}`;
    return { text, line: '', percent: undefined, waiting: true };
  }
  if (waitsFor !== null) return { text: waitsFor, line: '', percent: undefined, waiting: true };
  if (activity.type === 'claim') {
    const text = lastFailure ? `waiting: ${inOneLine(lastFailure)}` : 'waiting for a host';
    return { text, line: '', percent: undefined, waiting: true };
  }
  const percent =
    progress?.done !== undefined && progress.total !== undefined && progress.total > 0
      ? Math.max(0, Math.min(100, Math.floor((100 * progress.done) / progress.total)))
      : undefined;
  const parts = [
    ...(percent === undefined ? [] : [`${percent}%`]),
    ...(progress?.step ? [plain(progress.step)] : []),
    ...(progress?.bytes === undefined ? [] : [`${(progress.bytes / 1_000_000).toFixed(0)} MB`]),
    ...(lastFailure && activity.attempt > 1 ? [`(try ${activity.attempt}, after: ${inOneLine(lastFailure)})`] : []),
  ];
  const line = plain(progress?.line ?? '').trim();
  return { text: parts.join(' '), line: isNoise(line) ? '' : line, percent, waiting: false };
}

/** What podman says of its storage, and of steps that stand in the row already. */
const STORAGE =
  /^(?:-->|time="\S+" level=|(?:STEP|COMMIT|Copying|Writing manifest|Getting image|Storing signatures)\b)/;

/** `true` for a line that tells nobody anything: of podman's storage, a digest alone, or what only rules off. */
function isNoise(line: string): boolean {
  return STORAGE.test(line) || /^(?:(?:sha256:)?[0-9a-f]{12,64}|[\W_]*)$/.test(line);
}

/** A step of a build as podman announces it; empty for other work. */
export function buildStep({ type, progress }: PendingActivity): string {
  if (type !== 'build' || progress?.step === undefined || progress.total === undefined) return '';
  return `STEP ${(progress.done ?? 0) + 1}/${progress.total}: ${plain(progress.step)}`;
}

/**
 * A failure in one line: its first, and where that only announces what follows, the last one, where the cause stands.
 */
function inOneLine(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => plain(line).trim())
    .filter((line) => line !== '');
  const [first = ''] = lines;
  return first.endsWith(':') && lines.length > 1 ? `${first} ${lines.at(-1)}` : first;
}

/** What the release does besides its stages, such as its clean-up, or that nothing newer is known of it. */
export function besides({ activities, unansweredSince }: ReleaseView): string[] {
  return [
    ...(activities.some(({ type }) => isCleanUp(type)) ? ['cleaning up on the hosts'] : []),
    ...(unansweredSince === undefined
      ? []
      : [`waiting: no control worker has answered since ${clockInWords(new Date(unansweredSince))}`]),
  ];
}
