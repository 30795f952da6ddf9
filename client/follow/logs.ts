/** Follows the logs of a release while they are written, across attempts, hosts and stages. */
import { isOver, logTargets, type LogFilter, type LogTarget } from '../../model/release/log-targets.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { Temporal } from '../temporal/temporal.ts';
import { UserError } from '../terminal/errors.ts';
import { readPage } from '../temporal/logs.ts';
import { Patience } from './patience.ts';
import { Interrupted, pause } from '../terminal/pause.ts';
import type { ReleaseReader } from '../temporal/release/release-view.ts';

/** Milliseconds between two looks while nothing runs. */
const LOOK = 1_000;
/** Milliseconds that a host waits for more of a log: how late the end of a stage is noticed. */
const WAIT = 2_000;

/** Where logs go. */
export interface LogDisplay {
  /** What is said of them: which begins, and who does not answer. */
  note(text: string): void;
  /** Any part of a log, as it was written. */
  text(target: LogTarget, text: string): void;
  /** `true` when nobody reads it any more. */
  isClosed?(): boolean;
}

/**
 * Gives the logs that are meant until they are whole: from their beginning, but without a stage
 * only of what runs now or begins later. Temporal and hosts may go away meanwhile. Returns the record as it was at
 * the end.
 *
 * @throws Interrupted when the signal is aborted.
 */
export async function followLogs(
  temporal: Temporal,
  reader: ReleaseReader,
  filter: LogFilter,
  sink: LogDisplay,
  signal: AbortSignal,
): Promise<ReleaseRecord> {
  const patience = new Patience('the release', (text) => sink.note(text), signal);
  const follower = new Follower(temporal, sink, patience, signal);
  let isFirst = true;
  for (;;) {
    if (sink.isClosed?.()) throw new Interrupted();
    const record = await patience.ask('Temporal', async () => (await reader.read()).record);
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

/** Who reads the pages may be away: the host, or every control worker. */
const PASSING = ['no-host', 'no-control-worker'];

/** A page; undefined when the log does not exist. */
async function readPageIfThere(...given: Parameters<typeof readPage>) {
  try {
    return await readPage(...given);
  } catch (error) {
    if (error instanceof UserError && error.kind === 'invalid-input') return undefined;
    throw error;
  }
}

class Follower {
  private readonly temporal: Temporal;
  private readonly sink: LogDisplay;
  private readonly patience: Patience;
  private readonly signal: AbortSignal;
  private readonly offsets = new Map<string, number>();
  /** Logs of which nothing is missing. */
  private readonly whole = new Set<string>();

  constructor(temporal: Temporal, sink: LogDisplay, patience: Patience, signal: AbortSignal) {
    this.temporal = temporal;
    this.sink = sink;
    this.patience = patience;
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
      const page = await this.patience.ask(host, () => readPageIfThere(this.temporal, target, offset, wait), PASSING);
      if (!page) return isRunning ? pause(LOOK, this.signal) : undefined;
      if (page.restarted) this.sink.note(`==> ${target.label} starts again <==`);
      this.offsets.set(key, page.nextOffset);
      if (page.text !== '') this.sink.text(target, page.text);
      if (page.end || page.text === '') break;
    }
    if (!isRunning) this.whole.add(key);
  }
}
