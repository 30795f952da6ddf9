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
import { formatTable } from './table.ts';
import { activitiesByRow, besides, noteOf, type ReleaseView } from './activities.ts';
import { plain, style, truncate, type Style } from './style.ts';

/** How a view is drawn. */
interface ViewOptions {
  colour: boolean;
  /** Characters in a line; longer lines are cut. Undefined where nothing is cut. */
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

/** The header and the stage table. */
export function renderRelease(view: ReleaseView, options: ViewOptions): string[] {
  return releaseLines(view, options).map(({ text }) => text);
}

/** The lines of {@link renderRelease}, each with its kind. */
export function releaseLines(view: ReleaseView, options: ViewOptions): ReleaseLine[] {
  const { record } = view;
  const paint = style(options.colour);
  const activities = activitiesByRow(view);
  const table = formatTable(
    record.stages.map((row) => {
      const activity = activities.get(row);
      const note = activity ? noteOf(activity).text : row.attempts > 1 ? `${row.attempts} tries` : '';
      return [
        row.name,
        row.subject,
        paintStatus(row.status, paint),
        elapsed(row, options.now),
        row.host ?? '',
        paint.dim(note),
      ];
    }),
    '  ',
  );
  // The last line of output stands below its row.
  const lines = record.stages.flatMap((row, index): ReleaseLine[] => {
    const activity = activities.get(row);
    const last = activity ? noteOf(activity).line : '';
    const kind = activity ? 'active' : kindOf(row.status);
    const output = last ? [{ kind: 'output' as const, text: paint.dim(`      ${last}`) }] : [];
    return [{ kind, text: table[index]! }, ...output];
  });
  const total = totalTime(record, options.now);
  const header = `${paint.bold(record.image.reference)}  ${paintStatus(record.status, paint)}${total && `  ${total}`}`;
  const beside = besides(view).map((text): ReleaseLine => ({ kind: 'beside', text: paint.dim(`  ${text}`) }));
  const all: ReleaseLine[] = [{ kind: 'head', text: header }, ...lines, ...beside];
  const { columns } = options;
  return columns === undefined ? all : all.map(({ kind, text }) => ({ kind, text: truncate(text, columns) }));
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
function renderBases({ inputs }: ReleaseRecord): string[] {
  return (inputs?.base ?? []).map(({ reference, digest }) => `base: ${plain(reference)} ${digest}`);
}

/** What else is to be known of a release: until when devices can enroll, and warnings. */
export function renderNotes(record: ReleaseRecord, colour: boolean, now = new Date()): string[] {
  const paint = style(colour);
  const { certificateEnds, certificateRequest } = record.image;
  return [
    ...(record.reason === undefined ? [] : [`reason: ${plain(record.reason)}`]),
    ...missingInWords(record.image.missing).map((text) => `${paint.yellow('without:')} ${plain(text)}`),
    ...updatesInWords(record.image.updates ?? []).map((text) => `update: ${plain(text)}`),
    ...gatesInWords(record.gates).map((text) => `gate: ${plain(text)}`),
    ...attestedLines(record),
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
function attestedLines({ image, attestations = [] }: ReleaseRecord): string[] {
  const rows = attestations.map(({ subject, of, predicateType, digest }) => {
    const platform = image.platforms?.find((one) => one.digest === of)?.platform;
    return [plain(predicateName(predicateType)), platform ? `${subject} for linux/${platform}` : subject, digest];
  });
  return formatTable(rows, 'attested: ');
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
  { colour, now }: Omit<ViewOptions, 'columns'>,
): string[] {
  const { record } = view;
  const options = { colour, columns: undefined, now };
  return [
    ...renderRelease(standing ? withoutSkipped(view) : view, options),
    ...[...renderBases(record), ...renderNotes(record, colour)].map((line) => `  ${line}`),
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
    ...renderBases(view.record).map((line) => `  ${line}`),
  ];
}
