/** The list of releases. Pure. */
import type { ListedRelease } from '../../model/release/listing.ts';
import { timeInWords } from '../../model/base/words.ts';
import { shortRun } from '../temporal/release-name.ts';
import { formatTable } from './table.ts';
import { paintStatus } from './release.ts';
import { style } from './style.ts';

/** A line for each release, newest first as given. `filtered`: there may be others. */
export function renderList(releases: readonly ListedRelease[], colour: boolean, filtered = false): string[] {
  if (releases.length === 0) {
    return [filtered ? 'no such releases' : 'no releases yet: start one with `flightline run`'];
  }
  const paint = style(colour);
  const open = (release: ListedRelease) => release.closedAt === null;
  return formatTable([
    ['RELEASE', 'STATUS', 'STAGE', 'HOST', 'STARTED', 'RUN'].map((title) => paint.bold(title)),
    ...releases.map((release) => [
      release.reference,
      paintStatus(release.status, paint),
      open(release) ? (release.stage ?? '') : '',
      release.hosts.join(', '),
      timeInWords(new Date(release.startedAt)),
      paint.dim(shortRun(release.runId)),
    ]),
  ]);
}
