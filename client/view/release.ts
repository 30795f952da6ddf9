/** A release as a stage table, and what to do when it is held or has failed. Pure. */
import type { Failure } from '../../model/failure/failure.ts';
import { placeOf } from '../../model/failure/remedy.ts';
import { remedyText } from '../../model/failure/remedy-text.ts';
import type { ReleaseRecord, StageRow } from '../../model/release/record.ts';
import { isFinal, type ReleaseStatus, type StageStatus } from '../../model/stage/stage.ts';
import { gatesInWords } from '../../model/gate/gate.ts';
import { predicateName } from '../../model/attestation/statement.ts';
import { missingInWords } from '../../model/release/approval.ts';
import { updatesInWords } from '../../model/oci/update-cost.ts';
import { elapsedInWords, timeInWords } from '../../model/base/words.ts';
import { endsSoon } from '../../model/spec/enrollment.ts';
import { referenceOf, shortRun } from '../temporal/release-name.ts';
import { formatTable, GAP, tableRows } from './table.ts';
import { activitiesByRow, besides, noteOf, type ReleaseView } from './activities.ts';
import { plain, style, truncate, visibleLength, type Style } from './style.ts';

/** Before the rows of a release. */
const INDENT = '  ';
/** Characters by which a disk is told from others. */
const MIN_SUBJECT = 8;

/** How a view is drawn. */
interface ViewOptions {
  colour: boolean;
  /** Characters in a line; undefined where there is no end to it. */
  columns: number | undefined;
  /** Milliseconds since 1970, for what still runs. */
  now: number;
}

/** Colours a status by what it means. */
export function paintStatus(status: StageStatus | ReleaseStatus, paint: Style): string {
  switch (status) {
    case 'done':
    case 'released':
    case 'unchanged':
      return paint.green(status);
    case 'running':
      return paint.cyan(status);
    case 'held':
    case 'cancelled':
      return paint.yellow(status);
    case 'failed':
      return paint.red(status);
    case 'waiting':
    case 'skipped':
      return paint.dim(status);
  }
}

/** Time spent in a stage: measured when it ended, counted up while it runs, empty before it began. */
function elapsed(row: Pick<StageRow, 'startedAt' | 'durationMs' | 'status'>, now: number): string {
  if (row.durationMs !== null) return elapsedInWords(row.durationMs);
  if (row.startedAt === null || row.status !== 'running') return '';
  return elapsedInWords(now - Date.parse(row.startedAt));
}

/** A line of a release, by what it may be folded as. */
export interface ReleaseLine {
  /** `active` is what runs, waits for somebody, is held or has failed. */
  kind: 'head' | 'done' | 'active' | 'ahead' | 'output' | 'beside';
  text: string;
}

/** The header and the stage table. What is wider than a line goes on below. */
export function renderRelease(view: ReleaseView, options: ViewOptions): string[] {
  return linesOf(view, options, { width: options.columns ?? Number.POSITIVE_INFINITY }).map(({ text }) => text);
}

/** The same for a screen that is drawn again and again, each line with its kind: a row is a line, and is cut. */
export function releaseLines(view: ReleaseView, options: ViewOptions): ReleaseLine[] {
  const { columns } = options;
  const lines = linesOf(view, options, { cut: columns });
  return columns === undefined ? lines : lines.map(({ kind, text }) => ({ kind, text: truncate(text, columns) }));
}

/** `width`: what is longer goes on below; `cut`: how many characters of a line will be seen. */
function linesOf(
  view: ReleaseView,
  options: ViewOptions,
  { width = Number.POSITIVE_INFINITY, cut }: { width?: number; cut?: number | undefined },
): ReleaseLine[] {
  const { record } = view;
  const paint = style(options.colour);
  const activities = activitiesByRow(view);
  const cells = record.stages.map((row) => {
    const activity = activities.get(row);
    const note = activity ? noteOf(activity).text : row.attempts > 1 ? `${row.attempts} tries` : '';
    const painted = paintStatus(row.status, paint);
    return [row.name, row.subject, painted, elapsed(row, options.now), row.host ?? '', paint.dim(note)];
  });
  const table = tableRows(cut === undefined ? cells : narrowed(cells, cut - INDENT.length), INDENT, width);
  // The last line of output stands below its row.
  const lines = record.stages.flatMap((row, index): ReleaseLine[] => {
    const activity = activities.get(row);
    const last = activity ? noteOf(activity).line : '';
    const kind = activity ? 'active' : kindOf(row.status);
    const output = last ? [{ kind: 'output' as const, text: truncate(paint.dim(`      ${last}`), width) }] : [];
    return [...table[index]!.map((text) => ({ kind, text })), ...output];
  });
  const stands = [paintStatus(record.status, paint), totalTime(record, options.now)];
  const { reference } = record.image;
  const room = cut === undefined ? reference.length : Math.max(2, cut - visibleLength(stands.join(GAP)) - GAP.length);
  const named = paint.bold(reference.length <= room ? reference : `…${reference.slice(1 - room)}`);
  const header = formatTable([[named, ...stands]], '', width).map((text): ReleaseLine => ({ kind: 'head', text }));
  const beside = besides(view).map((text): ReleaseLine => ({ kind: 'beside', text: paint.dim(`  ${text}`) }));
  return [...header, ...lines, ...beside];
}

/** Subjects so short that status and time are seen in lines that are cut to a width. */
function narrowed(cells: readonly string[][], width: number): string[][] {
  const widest = (column: number) => Math.max(0, ...cells.map((row) => visibleLength(row[column]!)));
  // One for the sign that more would follow.
  const room = width - 1 - [0, 2, 3].reduce((sum, column) => sum + widest(column) + GAP.length, 0);
  return cells.map(([name = '', subject = '', ...more]) => [
    name,
    truncate(subject, Math.max(MIN_SUBJECT, room)),
    ...more,
  ]);
}

function kindOf(status: StageStatus): ReleaseLine['kind'] {
  if (status === 'done' || status === 'skipped') return 'done';
  return status === 'waiting' ? 'ahead' : 'active';
}

/** From the first stage's start to now, or to the last one's end; empty before anything began. */
function totalTime({ status, stages }: ReleaseRecord, now: number): string {
  const began = stages.flatMap(({ startedAt }) => (startedAt === null ? [] : [Date.parse(startedAt)]));
  if (began.length === 0) return '';
  const ends = stages.flatMap(({ startedAt, durationMs }) =>
    startedAt === null || durationMs === null ? [] : [Date.parse(startedAt) + durationMs],
  );
  return elapsedInWords((isFinal(status) ? Math.max(...ends, ...began) : now) - Math.min(...began));
}

/** The images that podman used, by their digests; before it has built, those that it is expected to use. */
function renderBases({ inputs }: ReleaseRecord, width: number | undefined): string[] {
  const rows = (inputs?.base ?? []).map(({ reference, digest }) => [`base: ${plain(reference)}`, digest]);
  return formatTable(rows, INDENT, width);
}

/** What else is to be known of a release: until when devices can enroll, and warnings. `width`: as of a table. */
export function renderNotes(record: ReleaseRecord, colour: boolean, now = new Date(), width?: number): string[] {
  const paint = style(colour);
  const { certificateEnds, certificateRequest } = record.image;
  return [
    ...(record.reason === undefined ? [] : [`reason: ${plain(record.reason)}`]),
    ...missingInWords(record.image.missing).map((text) => `${paint.yellow('without:')} ${plain(text)}`),
    ...updatesInWords(record.image.updates ?? []).map((text) => `update: ${plain(text)}`),
    ...gatesInWords(record.gates).map((text) => `gate: ${plain(text)}`),
    ...attestedLines(record, width),
    ...(certificateEnds === undefined
      ? []
      : [
          `enrollment certificate in the image: until ${certificateEnds.slice(0, 10)}` +
            (certificateRequest === undefined ? '' : ` (request ${plain(certificateRequest)})`),
        ]),
    ...(certificateEnds !== undefined && endsSoon(certificateEnds, undefined, now)
      ? [`${paint.yellow('warning:')} devices cannot enroll by this image after ${certificateEnds.slice(0, 10)}`]
      : []),
    ...(record.warnings ?? []).map((warning) => `${paint.yellow('warning:')} ${plain(warning)}`),
  ];
}

/** What is attested of what, and the digest of each bundle beside it: `attested: provenance  image  sha256:…`. */
function attestedLines({ image, attestations = [] }: ReleaseRecord, width: number | undefined): string[] {
  const rows = attestations.map(({ subject, of, predicateType, digest }) => {
    const platform = image.platforms?.find((one) => one.digest === of)?.platform;
    return [plain(predicateName(predicateType)), platform ? `${subject} for linux/${platform}` : subject, digest];
  });
  return formatTable(rows, 'attested: ', width);
}

/** What failed, why and what to do next. */
export function renderFailure(failure: Failure, record: ReleaseRecord, colour: boolean): string[] {
  const paint = style(colour);
  const { reference } = record.image;
  const heads = { held: paint.yellow('held'), cancelled: paint.yellow('cancelled') } as const;
  const head = record.status === 'held' || record.status === 'cancelled' ? heads[record.status] : paint.red('failed');
  const logStage = failure.stage ? ` ${failure.stage}` : '';
  return [
    `${head}${failure.stage ? ` at ${failure.stage}` : ''} (${failure.kind}):`,
    ...failure.message.split('\n').map((line) => `  ${plain(line)}`),
    `  what to do: ${remedyText(failure, placeOf(record.status), reference)}`,
    ...(failure.log ? [`  the whole log: flightline logs ${reference}${logStage}`] : []),
  ];
}

/**
 * All that `flightline status` says of a run. `standing`: the run by which there is what stands, where this one made
 * nothing; `page`: of the run in the Web UI.
 */
export function renderStatus(
  view: ReleaseView,
  standing: ReleaseView | undefined,
  page: string | null,
  options: ViewOptions,
): string[] {
  const { record } = view;
  const { colour, columns } = options;
  const notes = renderNotes(record, colour, undefined, columns && columns - INDENT.length);
  return [
    ...renderRelease(standing ? withoutSkipped(view) : view, options),
    ...renderBases(record, columns),
    ...notes.map((line) => INDENT + line),
    ...(record.failure ? renderFailure(record.failure, record, colour) : []),
    ...(page ? [page] : []),
    ...(standing ? ['', ...renderStanding(standing, options)] : []),
  ];
}

/** What a run that made nothing left out is no news. */
function withoutSkipped(view: ReleaseView): ReleaseView {
  const stages = view.record.stages.filter(({ status }) => status !== 'skipped');
  return { ...view, record: { ...view.record, stages } };
}

function renderStanding(view: ReleaseView, options: ViewOptions): string[] {
  const { release, runId, stages } = view.record;
  const [first] = stages;
  const since = first?.startedAt ? ` of ${timeInWords(new Date(first.startedAt))}` : '';
  return [
    `what stands is of the run${since}: ${referenceOf(release)}@${shortRun(runId)}`,
    ...renderRelease(view, options),
    ...renderBases(view.record, options.columns),
  ];
}
