/** The stages of a release as a table: one row per stage and subject, changed through one method. Pure. */
import type { Architecture } from '../base/host.ts';
import { builderRuns, type BuilderRun } from '../spec/disk.ts';
import type { LogLocation } from '../failure/failure.ts';
import type { StageRow } from './record.ts';
import type { BootTest, ReleaseRequest, RequestedDisk } from '../spec/request.ts';
import {
  diskSubject,
  imageSubject,
  isOfImage,
  signingStages,
  stagesOf,
  type Stage,
  type StageKey,
  type StageStatus,
} from '../stage/stage.ts';

/** A change of a row. */
interface StageChange {
  status: StageStatus;
  /** When, in milliseconds since 1970. */
  at: number;
  /** Replaces the host when given. */
  host?: string | null;
  /** Added to the attempts so far. */
  attempts?: number;
  /** Replaces the log's place when given. */
  log?: LogLocation | null;
}

/** The stage is over and nothing more is to be done for it. */
function isFinished(row: Pick<StageRow, 'status'>): boolean {
  return row.status === 'done' || row.status === 'skipped';
}

/** The rows of a builder run: its own, then those of each disk. */
export function builderRunStages(run: {
  types: readonly string[];
  disks: readonly { type: string }[];
  bootTest?: BootTest | undefined;
  platform?: Architecture | undefined;
  gates?: ReleaseRequest['gates'];
}): StageKey[] {
  const { disks, bootTest, platform, gates } = run;
  const subject = (type: string) => diskSubject(type, platform);
  return [
    ...stagesOf('run', runSubject(run), { gates, bootTest: bootTest && { disk: subject(bootTest.disk) } }),
    ...disks.flatMap(({ type }) => stagesOf(platform ? 'platform-disk' : 'disk', subject(type))),
  ];
}

/**
 * All rows of a release, in order.
 *
 * @param reused types of the disks that are taken over from an earlier release
 */
export function releaseStages(
  request: Pick<
    ReleaseRequest,
    'disks' | 'verification' | 'bootTest' | 'platforms' | 'provenance' | 'sbom' | 'rechunk' | 'gates'
  > &
    Driven,
  reused: readonly string[] = [],
): StageKey[] {
  const made = request.disks.filter(({ type }) => !reused.includes(type));
  return [
    ...stagesOf('start', 'release'),
    ...(request.platforms ?? []).flatMap((platform) => stagesOf('platform', imageSubject(platform), request)),
    ...stagesOf('image', 'image', request),
    ...(request.platforms ?? [undefined]).flatMap((one) => stagesOf('device', imageSubject(one), request)),
    ...reused.flatMap(signingStages),
    ...requestedRuns(request, made).flatMap((run) =>
      builderRunStages({ ...run, bootTest: request.bootTest, gates: request.gates }),
    ),
    ...(request.platforms ? made.flatMap(({ type }) => stagesOf('joined-disk', type)) : []),
    ...stagesOf('end', 'release', request),
  ];
}

/** A builder run, and where its disks go. */
export interface RequestedRun {
  /** `qcow2+vmdk`, or `qcow2-arm64+vmdk-arm64` for one platform of several: names the branch. */
  subject: string;
  types: BuilderRun['types'];
  disks: RequestedDisk[];
  /** One of several. */
  platform?: Architecture;
}

/** The part of a request that says how many types the builder makes at once. */
interface Driven {
  builder?: Pick<ReleaseRequest['builder'], 'driver'>;
}

/** Groups the disks of a request, or some of them, into builder runs; for each platform where there are several. */
export function requestedRuns(
  { platforms, builder, ...request }: Pick<ReleaseRequest, 'disks' | 'platforms'> & Driven,
  disks: readonly RequestedDisk[] = request.disks,
): RequestedRun[] {
  const runs = builderRuns(disks, builder?.driver).map(({ types, disks: some }) => ({
    types,
    disks: disks.filter((disk) => some.some(({ type }) => type === disk.type)),
  }));
  if (!platforms) return runs.map((run) => ({ ...run, subject: runSubject(run) }));
  return platforms.flatMap((platform) =>
    runs.map((run) => ({ ...run, platform, subject: runSubject({ ...run, platform }) })),
  );
}

/** The subject of a builder run, joined of those of its disks. */
function runSubject({ types, platform }: { types: readonly string[]; platform?: Architecture | undefined }): string {
  return types.map((type) => diskSubject(type, platform)).join('+');
}

/**
 * `true` when a row belongs to a branch: `image`, one of its platforms, `release`, or the subject of a builder run. A
 * device of each platform verifies the image that is whole, so that is the image's own.
 */
export function isOfBranch(row: StageKey, branch: string): boolean {
  if (row.name === 'device-verify') return branch === 'image';
  return (
    row.subject === branch || (!isOfImage(branch) && branch !== 'release' && branch.split('+').includes(row.subject))
  );
}

/** The rows, kept in order. Every change goes through {@link StageTable.update}. */
export class StageTable {
  private list: StageRow[];
  /** What is known of a waiting row besides, in words, by stage and subject. */
  private readonly notes = new Map<string, string>();

  constructor(keys: readonly StageKey[]) {
    this.list = keys.map(emptyRow);
  }

  get rows(): StageRow[] {
    return this.list;
  }

  /** A row. Throws when there is none: that is a fault of the caller. */
  row(name: Stage, subject: string): StageRow {
    const row = this.list.find((one) => one.name === name && one.subject === subject);
    if (!row) throw new Error(`there is no stage ${name} for ${subject}`);
    return row;
  }

  /** `true` when the row is done, or was skipped since another release did it. */
  isFinished(name: Stage, subject: string): boolean {
    return isFinished(this.row(name, subject));
  }

  update(name: Stage, subject: string, change: StageChange): void {
    const before = this.row(name, subject);
    this.list = this.list.map((row) => (row === before ? changedRow(row, change) : row));
    this.notes.delete(`${name} ${subject}`);
  }

  /** Says why a row waits, until it changes; null takes it back. */
  note(name: Stage, subject: string, words: string | null): void {
    if (words === null) this.notes.delete(`${name} ${subject}`);
    else this.notes.set(`${name} ${subject}`, words);
  }

  /** What is said of rows, as a list in Markdown. */
  noted(): string {
    return [...this.notes].map(([row, words]) => `- ${row}: ${words}`).join('\n');
  }

  /** Changes every matching row. */
  updateAll(fits: (row: StageRow) => boolean, change: StageChange): void {
    this.list = this.list.map((row) => (fits(row) ? changedRow(row, change) : row));
  }

  /** Takes over the rows of a builder run, and adds their attempts to those of earlier runs. */
  merge(rows: readonly StageRow[]): void {
    this.list = this.list.map((row) => {
      const newer = rows.find((one) => one.name === row.name && one.subject === row.subject);
      return newer ? { ...newer, attempts: row.attempts + newer.attempts } : row;
    });
  }

  /** Replaces the rows. A row that was there keeps its state. */
  reshape(keys: readonly StageKey[]): void {
    this.list = keys.map(
      (key) => this.list.find((row) => row.name === key.name && row.subject === key.subject) ?? emptyRow(key),
    );
  }

  /** The earliest unfinished row; `undefined` when there is none. */
  earliestUnfinished(): StageRow | undefined {
    return this.list.find((row) => !isFinished(row));
  }
}

function emptyRow(key: StageKey): StageRow {
  return { ...key, status: 'waiting', host: null, attempts: 0, startedAt: null, durationMs: null, log: null };
}

function changedRow(row: StageRow, change: StageChange): StageRow {
  const starts = change.status === 'running' && row.status !== 'running';
  const waits = change.status === 'waiting' || change.status === 'skipped';
  const startedAt = starts ? new Date(change.at).toISOString() : waits ? null : row.startedAt;
  // A row that has ended keeps its time: a held stage that fails a week later did not take a week.
  const ends = row.status === 'running' && change.status !== 'running' && startedAt !== null;
  return {
    ...row,
    status: change.status,
    host: change.host === undefined ? row.host : change.host,
    attempts: row.attempts + (change.attempts ?? 0),
    startedAt,
    durationMs: ends
      ? Math.max(0, change.at - Date.parse(startedAt))
      : starts || waits || startedAt === null
        ? null
        : row.durationMs,
    log: change.log === undefined ? row.log : change.log,
  };
}
