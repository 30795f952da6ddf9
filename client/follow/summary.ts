/** The end of a release: what there is now, where, and that a device would take it. Pure. */
import { isVerified, type DiskRecord, type ReleaseRecord } from '../../model/release/record.ts';
import { bytesInWords } from '../../model/base/words.ts';
import { paintStatus, renderFailure, renderNotes } from '../view/release.ts';
import { style } from '../view/style.ts';

/** What the summary says besides the record. */
interface SummaryOptions {
  colour: boolean;
  /** The Web UI's address; null when it is not known. */
  ui: string | null;
  /** The workflow's page there. */
  page: string | null;
  /** Characters in a line; undefined where there is no end to it. */
  columns?: number | undefined;
}

const FORMS = { artifact: 'artifact', 'container-disk': 'container disk', none: 'not published' } as const;

/** What was done by this run to say so. */
const CHECKED: Partial<Record<ReleaseRecord['status'], string>> = {
  released: 'verified as a device would',
  unchanged: 'present in full, and signed for its names',
};

/** The summary's lines. */
export function renderSummary(record: ReleaseRecord, options: SummaryOptions): string[] {
  const paint = style(options.colour);
  const complete = record.status === 'released' || record.status === 'unchanged';
  const head = `${paint.bold(record.image.reference)} ${paintStatus(record.status, paint)}${ended(record)}`;
  const followed = [...new Set(record.disks.map(({ updateFrom }) => updateFrom))];
  const published = [
    '  image',
    `    ${record.image.reference}`,
    ...(record.image.digest ? [`    ${paint.dim(record.image.digest)}`] : []),
    ...record.disks.flatMap(diskLines),
    ...(followed.length > 0 ? [`  machines installed from them follow ${followed.join(', ')}`] : []),
  ];
  return [
    head,
    ...(complete ? published : []),
    ...(complete ? [`  ${CHECKED[record.status]}: ${isVerified(record) ? paint.green('yes') : paint.red('no')}`] : []),
    ...renderNotes(record, options.colour, undefined, options.columns && options.columns - 2).map(
      (line) => `  ${line}`,
    ),
    ...(record.failure && !complete ? renderFailure(record.failure, record, options.colour) : []),
    ...(options.ui ? [`  Temporal Web UI: ${options.ui}`] : []),
    ...(options.page ? [`  this release there: ${options.page}`] : []),
  ];

  function diskLines(disk: DiskRecord): string[] {
    return [
      `  ${[disk.type, FORMS[disk.form], ...(disk.file ? [bytesInWords(disk.file.size)] : [])].join(', ')}`,
      ...(disk.reference ? [`    ${disk.reference}`] : []),
      ...(disk.digest ? [`    ${paint.dim(disk.digest)}`] : []),
      ...(disk.file?.path ? [`    ${disk.file.host}:${disk.file.path}`] : []),
      ...(disk.platforms ?? []).flatMap(({ platform, file }) => [
        `    linux/${platform}${file ? `, ${bytesInWords(file.size)}` : ''}`,
        ...(file?.path ? [`      ${file.host}:${file.path}`] : []),
      ]),
    ];
  }
}

function ended(record: ReleaseRecord): string {
  switch (record.status) {
    case 'unchanged':
      return ': the same inputs were released before; nothing was built';
    case 'cancelled':
      return `: its hosts are cleaned up${record.failure ? '' : ', and no tag was moved'}`;
    case 'released':
    case 'running':
    case 'held':
    case 'failed':
      return '';
  }
}
