/** The list of releases. Pure. */
import type { ListedRelease } from '../../model/release/listing.ts';
import { timeInWords } from '../../model/base/words.ts';
import { shortRun } from '../temporal/release-name.ts';
import { formatTable } from './table.ts';
import { paintStatus } from './release.ts';
import { style } from './style.ts';

/** How it is shown. */
interface ListStyle {
  colour: boolean;
  columns: number | undefined;
  /** There may be others. */
  filtered: boolean;
}

/** A row for each release, newest first as given. */
export function renderList(releases: readonly ListedRelease[], { colour, columns, filtered }: ListStyle): string[] {
  if (releases.length === 0) {
    return [filtered ? 'no such releases' : 'no releases yet: start one with `flightline run`'];
  }
  const paint = style(colour);
  const open = (release: ListedRelease) => release.closedAt === null;
  const rows = [
    ['RELEASE', 'STATUS', 'STAGE', 'HOST', 'STARTED', 'RUN'].map((title) => paint.bold(title)),
    ...releases.map((release) => [
      release.reference,
      paintStatus(release.status, paint),
      open(release) ? (release.stage ?? '') : '',
      release.hosts.join(', '),
      timeInWords(new Date(release.startedAt)),
      paint.dim(shortRun(release.runId)),
    ]),
  ];
  return formatTable(rows, '', columns);
}
