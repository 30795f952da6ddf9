/** The current details that the Temporal Web UI shows of a workflow, in Markdown. Pure. */
import type { Failure } from '../../model/release/failure.ts';
import type { ReleaseRecord, StageRow } from '../../model/release/record.ts';

/** A branch that waits for a person. */
export interface Hold {
  branch: string;
  failure: Failure;
}

/** What a release's details are made of. */
export interface ReleaseDetails {
  record: ReleaseRecord;
  holds: readonly Hold[];
  /** Workflow ids of builder runs that were started, by subject. */
  children: ReadonlyMap<string, string>;
  /** `repository:tag` of what was moved. */
  moved: readonly string[];
}

/** Where a release stands: what is held and what to do about it first, then stages and digests. */
export function releaseDetails({ record, holds, children, moved }: ReleaseDetails): string {
  const failed = holds.length === 0 && record.failure ? [failureText('Failed', record.failure, record.release)] : [];
  return paragraphs([
    `**${record.image.reference}** is **${record.status}**.`,
    ...holds.map(({ branch, failure }) => failureText(`Held: ${branch}`, failure, record.release)),
    ...failed,
    stageTable(record.stages),
    digestList(record),
    (record.warnings ?? []).map((warning) => `- warning: ${warning}`).join('\n'),
    moved.length > 0 ? `Tags moved: ${moved.map(code).join(', ')}` : '',
    [...children].map(([subject, id]) => `- builder run ${subject}: workflow ${code(id)}`).join('\n'),
  ]);
}

/** Where a builder run stands. */
export function builderRunDetails(release: string, rows: readonly StageRow[], failure: Failure | null): string {
  return paragraphs([
    `Part of ${code(release)}.`,
    failure ? failureText('Failed', failure, release) : '',
    stageTable(rows),
  ]);
}

function paragraphs(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n');
}

function stageTable(rows: readonly StageRow[]): string {
  if (rows.length === 0) return '';
  const lines = rows.map((row) =>
    [
      row.name,
      row.subject,
      row.status,
      row.host ?? '',
      row.attempts > 0 ? String(row.attempts) : '',
      row.startedAt ?? '',
      row.durationMs === null ? '' : duration(row.durationMs),
    ].join(' | '),
  );
  return [
    '| stage | subject | status | host | attempts | started | took |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...lines.map((line) => `| ${line} |`),
  ].join('\n');
}

function digestList(record: ReleaseRecord): string {
  const image = record.image.digest
    ? [
        `- image ${code(record.image.reference)}: ${code(record.image.digest)}${checked(record.image.verified)}${enrolled(record.image)}`,
      ]
    : [];
  const disks = record.disks.flatMap((disk) =>
    disk.digest && disk.reference
      ? [`- ${disk.type} ${code(disk.reference)}: ${code(disk.digest)}${checked(disk.verified)}`]
      : [],
  );
  return [...image, ...disks].join('\n');
}

function enrolled({ certificateEnds }: ReleaseRecord['image']): string {
  return certificateEnds === undefined ? '' : `, enrollment certificate until ${certificateEnds}`;
}

function checked(verified: boolean): string {
  return verified ? ', verified' : '';
}

function failureText(title: string, failure: Failure, release: string): string {
  return paragraphs([
    `### ${title}${failure.stage ? ` (${failure.stage})` : ''}`,
    fence(failure.message),
    `What to do: ${failure.remedy.replaceAll('RELEASE', release)}`,
    failure.log ? `Log: ${code(failure.log.path)} on ${failure.log.host}` : '',
  ]);
}

/** A code block whose fence is longer than any in the text. */
function fence(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((match) => match[0].length));
  const mark = '`'.repeat(longest + 1);
  return `${mark}\n${text}\n${mark}`;
}

function code(text: string): string {
  return `\`${text}\``;
}

/** Milliseconds as a person says them: `1.2 s`, `3 min 20 s`, `2 h 5 min`. */
function duration(milliseconds: number): string {
  const seconds = milliseconds / 1_000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
