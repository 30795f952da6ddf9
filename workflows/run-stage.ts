/** Runs one stage and updates its row: running, done, failed, or waiting again when its host was lost. */
import { isCancellation } from '@temporalio/workflow';
import { TemporalFailure } from '@temporalio/common';
import type { LogLocation } from '../model/failure/failure.ts';
import { utcInWords } from '../model/base/words.ts';
import { failureFrom, HostLost, StageFailed } from './failure.ts';
import type { StageTable } from '../model/release/stage-table.ts';
import type { StageKey } from '../model/stage/stage.ts';

/** The rows of a workflow. Call `changed` after a change, to show them. */
export interface StageBoard {
  readonly table: StageTable;
  changed(): void;
}

/** What every stage's activity answers. */
interface StageOutcome {
  attempts: number;
  log?: LogLocation | null;
}

/**
 * Runs a stage.
 *
 * @param host where it runs; null on control and sign workers.
 * @throws StageFailed for whatever its activity failed with, HostLost, or the cancellation.
 */
export async function runStage<Result extends StageOutcome>(
  board: StageBoard,
  { name, subject }: StageKey,
  host: string | null,
  body: () => Promise<Result>,
): Promise<Result> {
  board.table.update(name, subject, { status: 'running', at: Date.now(), host });
  board.changed();
  try {
    const result = await body();
    const { attempts, log } = result;
    board.table.update(name, subject, { status: 'done', at: Date.now(), attempts, log: log ?? null });
    board.changed();
    return result;
  } catch (error) {
    if (error instanceof HostLost) {
      board.table.update(name, subject, { status: 'waiting', at: Date.now(), host: null, attempts: 1 });
      board.table.note(name, subject, `${error.message}, since ${utcInWords(new Date())}; it waits for a build host`);
      board.changed();
      throw error;
    }
    // Anything else is a fault in this code, not a failure of the stage.
    if (!(error instanceof TemporalFailure) || isCancellation(error)) throw error;
    const failure = failureFrom(error, name);
    board.table.update(name, subject, { status: 'failed', at: Date.now(), attempts: 1, log: failure.log });
    board.changed();
    throw new StageFailed(failure);
  }
}

/** The answer of {@link settled}. */
export type Settled<Value> = { ok: true; value: Value } | { ok: false; error: unknown };

/** Waits for the end of something, good or bad. */
export async function settled<Value>(work: Promise<Value>): Promise<Settled<Value>> {
  try {
    return { ok: true, value: await work };
  } catch (error) {
    return { ok: false, error };
  }
}

/**
 * Does something for each item, at most `width` at a time. An error ends it: nothing more begins, and it is thrown once
 * what had begun has ended.
 */
export async function sideBySide<Item>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const lane = async () => {
    while (waiting.length > 0) await work(waiting.shift()!);
  };
  const lanes = items.slice(0, width).map(async () => {
    const ended = await settled(lane());
    if (!ended.ok) waiting.length = 0;
    return ended;
  });
  const failed = (await Promise.all(lanes)).find(({ ok }) => !ok);
  if (failed && !failed.ok) throw failed.error;
}
