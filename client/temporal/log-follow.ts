/** Follows the logs of a release while they are written, across attempts, hosts and stages. */
import { releaseKey } from '../../model/release/inputs.ts';
import { isLogged, logName } from '../../model/release/logs.ts';
import type { ReleaseRecord, StageRow } from '../../model/release/record.ts';
import { isFinal, type Stage } from '../../model/release/stage.ts';
import type { Temporal } from './connection.ts';
import { isUnavailable, UserError } from '../terminal/errors.ts';
import { readPage } from './log-reading.ts';
import type { Output } from '../terminal/output.ts';
import { Interrupted, interruptible, pause } from '../terminal/pause.ts';
import type { ReleaseReader } from './release-view.ts';

/** Milliseconds between two looks while nothing runs. */
const LOOK = 1_000;
/** Milliseconds that a host waits for more of a log: how late the end of a stage is noticed. */
const WAIT = 2_000;

/** Which rows of a record are meant; everything that is absent lets all through. */
export interface LogFilter {
  stage?: Stage | undefined;
  subject?: string | undefined;
}

/** `true` for the rows that are meant. */
export function isMeant(row: Pick<StageRow, 'name' | 'subject'>, { stage, subject }: LogFilter): boolean {
  return (stage === undefined || row.name === stage) && (subject === undefined || row.subject === subject);
}

/** A log that is or was written. */
export interface LogTarget {
  /** Equal for all attempts that write to one file. */
  key: string;
  /** `disk-build qcow2 (host-a)` */
  label: string;
  host: string;
  /** Absolute when it is known; else from the host's log directory. */
  path: string;
  isRunning: boolean;
}

/** The logs of the rows that have begun on a host. Pure. */
export function logTargets(record: ReleaseRecord, filter: LogFilter): LogTarget[] {
  return record.stages.flatMap((row): LogTarget[] => {
    const { name, subject, host, status } = row;
    if (!isLogged(name) || host === null || !isMeant(row, filter)) return [];
    if (status === 'waiting' || status === 'skipped') return [];
    const file = `${logName(name, subject)}.log`;
    const isRunning = status === 'running';
    // An earlier attempt's log may be noted in a row that runs again: it may have been on another host.
    const noted = row.log?.host === host ? row.log.path : undefined;
    return [
      {
        key: `${host}/${file}`,
        label: `${name} ${subject} (${host})`,
        host,
        path: noted ?? `${releaseKey(record.release)}/${file}`,
        isRunning,
      },
    ];
  });
}

/** `true` when nothing of what is meant will be written any more, or not before a person does something. */
export function isOver(record: ReleaseRecord, filter: LogFilter): boolean {
  if (isFinal(record.status) || record.status === 'held') return true;
  if (filter.stage === undefined && filter.subject === undefined) return false;
  const rows = record.stages.filter((row) => isMeant(row, filter) && isLogged(row.name));
  return rows.every(({ status }) => ['done', 'failed', 'skipped', 'cancelled'].includes(status));
}

/**
 * Prints the logs that are meant on standard output until they are whole: from their beginning, but without a stage only of what
 * runs now or begins later. Temporal and hosts may go away meanwhile. Returns the record as it was at the end.
 *
 * @throws Interrupted when the signal is aborted.
 */
export async function followLogs(
  temporal: Temporal,
  reader: ReleaseReader,
  filter: LogFilter,
  output: Output,
  signal: AbortSignal,
): Promise<ReleaseRecord> {
  const follower = new Follower(temporal, output, signal);
  let isFirst = true;
  for (;;) {
    if (signal.aborted) throw new Interrupted();
    const record = await follower.patiently('Temporal', async () => (await reader.read()).record);
    if (record) {
      const targets = logTargets(record, filter);
      if (isFirst && filter.stage === undefined) follower.skip(targets.filter(({ isRunning }) => !isRunning));
      isFirst = false;
      await Promise.all(targets.map((target) => follower.read(target)));
      if (isOver(record, filter)) return record;
      if (targets.some(({ isRunning }) => isRunning)) continue;
    }
    await pause(LOOK, signal);
  }
}

class Follower {
  private readonly temporal: Temporal;
  private readonly output: Output;
  private readonly signal: AbortSignal;
  private readonly offsets = new Map<string, number>();
  /** Logs of which nothing is missing. */
  private readonly whole = new Set<string>();
  /** Who does not answer now. */
  private readonly away = new Set<string>();
  private printing: string | null = null;

  constructor(temporal: Temporal, output: Output, signal: AbortSignal) {
    this.temporal = temporal;
    this.output = output;
    this.signal = signal;
  }

  /** These were written before anybody followed. */
  skip(targets: readonly LogTarget[]): void {
    for (const { key } of targets) this.whole.add(key);
  }

  /** Prints what is new of a log. */
  async read(target: LogTarget): Promise<void> {
    const { key, host, isRunning } = target;
    if (isRunning) this.whole.delete(key);
    if (this.whole.has(key)) return;
    for (let isFirst = true; ; isFirst = false) {
      const offset = this.offsets.get(key) ?? 0;
      const wait = isRunning && isFirst ? WAIT : undefined;
      const page = await this.patiently(host, () => readPage(this.temporal, target, offset, wait));
      if (!page) return isRunning ? pause(LOOK, this.signal) : undefined;
      if (page.restarted) this.output.note(`==> ${target.label} begins anew <==`);
      this.offsets.set(key, page.nextOffset);
      if (page.text !== '') this.print(target, page.text);
      if (page.end || page.text === '') break;
    }
    if (!isRunning) this.whole.add(key);
  }

  /** Undefined, said once, while somebody does not answer; a log that is not there is nobody's fault. */
  async patiently<Result>(who: string, work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      const result = await interruptible(work(), this.signal);
      if (this.away.delete(who)) this.output.note(`${who} answers again`);
      return result;
    } catch (error) {
      const kind = error instanceof UserError ? error.kind : undefined;
      if (kind === 'invalid-input') return undefined;
      if (kind !== 'no-host' && !isUnavailable(error)) throw error;
      if (!this.away.has(who)) this.output.note(`${who} does not answer; the release goes on without this command`);
      this.away.add(who);
      return undefined;
    }
  }

  private print({ key, label }: LogTarget, text: string): void {
    if (this.printing !== key) this.output.note(`==> ${label} <==`);
    this.printing = key;
    process.stdout.write(text);
  }
}
