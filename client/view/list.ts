/** The list of releases. Pure. */
import { formatTable, formatTime } from './format.ts';
import { paintStatus } from './release.ts';
import { style } from './style.ts';
import type { ReleaseStatus } from '../../spec/stage.ts';

/** One run of a release, as Temporal's visibility knows it. */
export interface ListedRelease {
  /** The workflow id. */
  release: string;
  runId: string;
  /** `repository:tag`. */
  reference: string;
  status: ReleaseStatus;
  /** Earliest unfinished stage; null when it is not known. */
  stage: string | null;
  hosts: string[];
  /** ISO 8601, UTC. */
  startedAt: string;
  /** Null while it is open. */
  closedAt: string | null;
}

/** A line for each release, newest first as given. */
export function renderList(releases: readonly ListedRelease[], colour: boolean): string[] {
  if (releases.length === 0) return ['no releases yet: start one with `flightline run`'];
  const paint = style(colour);
  const open = (release: ListedRelease) => release.closedAt === null;
  return formatTable([
    ['RELEASE', 'STATUS', 'STAGE', 'HOST', 'STARTED'].map((title) => paint.bold(title)),
    ...releases.map((release) => [
      release.reference,
      paintStatus(release.status, paint),
      open(release) ? (release.stage ?? '') : '',
      release.hosts.join(', '),
      formatTime(new Date(release.startedAt)),
    ]),
  ]);
}
