/** The `sharedTag` workflow: every move of one shared tag, one at a time, and what it pointed at. */
import { ActivityFailure, type ApplicationFailure } from '@temporalio/common';
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { z } from 'zod';
import { failureOf } from '../../model/failure/failure.ts';
import {
  HISTORY_QUERY,
  LookAtTagInput,
  MOVE_UPDATE,
  MoveInput,
  Recorded,
  RECORDED_SIGNAL,
  refusalOfMove,
  refusalOfPromotion,
  ROLLBACK_UPDATE,
  RollbackInput,
  sharedTagId,
  SharedTagInput,
  type MoveResult,
  type RollbackResult,
  type TagEntry,
  type TagHistory,
  type TagNow,
} from '../../model/tags/shared-tag.ts';
import type { Timing } from '../../model/base/timing.ts';
import { failureFrom, parseInput, toTemporalFailure } from '../failure.ts';
import { activities } from '../activities.ts';
import { entryBefore, keptEntries } from './tag-entries.ts';
import { showDetails } from '../details.ts';

const moveUpdate = defineUpdate<MoveResult, [MoveInput]>(MOVE_UPDATE);
const rollbackUpdate = defineUpdate<RollbackResult, [RollbackInput]>(ROLLBACK_UPDATE);
const historyQuery = defineQuery<TagHistory>(HISTORY_QUERY);
const recordedSignal = defineSignal<[Recorded]>(RECORDED_SIGNAL);

/** Messages after which a run gives way to the next: some thousand events. */
const MESSAGES_PER_RUN = 100;

/** Keeps a shared tag for ever. */
export async function sharedTag(input: SharedTagInput): Promise<void> {
  const given = parseInput(SharedTagInput, input);
  const tag = new SharedTag(given);
  const limit = given.messagesPerRun ?? MESSAGES_PER_RUN;
  await condition(() => tag.answered >= limit || workflowInfo().continueAsNewSuggested);
  await condition(allHandlersFinished);
  await continueAsNew<typeof sharedTag>({ ...given, entries: tag.entries });
}

/** A look at a tag whose workflow is not known to the server. */
export async function tagNow(input: unknown): Promise<TagNow> {
  const given = parseInput(LookAtTagInput, input);
  return toldToSender(() => lookAtTag(given));
}

/** Tells shared tags which record goes with what they were moved to. One that has ended finds it in the registry. */
export async function tellRecorded(repository: string, tags: readonly string[], news: Recorded): Promise<void> {
  for (const tag of tags) {
    try {
      await getExternalWorkflowHandle(sharedTagId(repository, tag)).signal(recordedSignal, news);
    } catch (error) {
      if (isCancellation(error)) throw error;
    }
  }
}

class SharedTag {
  entries: TagEntry[];
  /** Messages so far. */
  answered = 0;
  private readonly repository: string;
  private readonly tag: string;
  /** What a move that failed may have done all the same. */
  private attempted: TagEntry | null = null;
  /** The end of whatever is being done; never rejects. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor({ repository, tag, entries }: SharedTagInput) {
    this.repository = repository;
    this.tag = tag;
    this.entries = entries;
    setHandler(historyQuery, () => ({ repository, tag, entries: this.entries }));
    setHandler(moveUpdate, (input) => this.inTurn(() => this.move(input)), { validator: valid(MoveInput) });
    setHandler(rollbackUpdate, (input) => this.inTurn(() => this.rollback(input)), { validator: valid(RollbackInput) });
    setHandler(recordedSignal, (input) => this.noteRecord(input));
    this.show();
  }

  /** One after the other, in the order in which they came. */
  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.turn.then(() => toldToSender(work)).finally(() => (this.answered += 1));
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  private async move(input: MoveInput): Promise<MoveResult> {
    const { release, runId, key, moves, timing, kind, madeBy, made, by, why } = input;
    const { digest } = moves.at(-1)!;
    await this.look(input.recordRepository, timing);
    // The promotion was planned some time ago: a release may have made this tag its own since.
    const madeNow = this.entries.at(-1)?.release ?? null;
    const own = kind === 'promotion' ? refusalOfPromotion(this.repository, this.tag, madeNow) : null;
    if (own) throw toTemporalFailure(own, own);
    const refused = refusalOfMove(this.entries, { ...input, digest });
    if (refused !== null) return { refused, moved: [], vanished: [] };
    this.attempted = { kind, digest, record: null, release: madeBy, made, at: now(), by, why };
    const { moved, vanished } = await sign(timing, `tag ${this.tag}`).tag({ release, runId, key, moves, timing });
    // Once more for what is there already: an attempt before may have been stopped half-way. It is told once.
    if (vanished.length === 0 && this.entries.at(-1)?.digest !== digest) this.add({ ...this.attempted, at: now() });
    this.attempted = null;
    return { refused: null, moved, vanished };
  }

  private async rollback(input: RollbackInput): Promise<RollbackResult> {
    const { recordRepository, timing, to, by, why } = input;
    const { repository, tag } = this;
    await this.look(recordRepository, timing);
    const from = this.entries.at(-1) ?? null;
    const record = to === null ? this.recordBefore() : this.recordOf(to);
    const where = { repository, tag, recordRepository, timing };
    const plan = await control(timing, `plan a rollback of ${tag}`).planRollback({ ...where, record });
    const { digest } = plan.moves.find((move) => move.repository === repository)!;
    const identity = { release: workflowInfo().workflowId, runId: workflowInfo().runId };
    const { key, moves } = plan;
    const entry: TagEntry = {
      kind: 'rollback',
      digest,
      record: plan.record,
      release: plan.release,
      made: plan.made,
      at: now(),
      by,
      why,
    };
    this.attempted = entry;
    const { moved, vanished } = await sign(timing, `roll ${tag} back`).tag({ ...identity, key, moves, timing });
    this.attempted = null;
    if (vanished.length > 0) {
      throw refusal(
        `the registry no longer has ${vanished.join(', ')}: nothing was moved`,
        'name another record with --to',
      );
    }
    this.add(entry);
    return { from, to: entry, moved };
  }

  private recordBefore(): string {
    const before = entryBefore(this.entries);
    const remedy = `name what to go to: \`flightline rollback ${this.repository}:${this.tag} --to DIGEST\``;
    if (!before) throw refusal('nothing is known that it pointed at before', remedy);
    if (before.record === null) throw refusal(`no signed record of ${before.digest} is known`, remedy);
    return before.record;
  }

  /** An image's digest means its record, as far as that is known; whatever else is named is a record itself. */
  private recordOf(to: string): string {
    return this.entries.findLast(({ digest, record }) => digest === to && record !== null)?.record ?? to;
  }

  /** Notes what somebody else moved the tag to, or what it pointed at before this workflow was started. */
  private async look(recordRepository: string, timing: Timing): Promise<void> {
    const { repository, tag } = this;
    const { digest, record } = await lookAtTag({ repository, tag, recordRepository, timing });
    const last = this.entries.at(-1);
    if (digest === null) return;
    if (last?.digest === digest) {
      // A signal may have been lost with a database; the registry knows.
      if (last.record === null && record) this.noteRecord({ digest, record: record.digest });
      return;
    }
    if (this.attempted?.digest === digest) return this.add(this.attempted);
    this.add({
      kind: 'found',
      digest,
      record: record?.digest ?? null,
      release: record?.release ?? null,
      made: record?.made ?? null,
      at: now(),
      by: null,
      why: last ? 'moved by something else than flightline' : 'there when its history began',
    });
  }

  private noteRecord(input: Recorded): void {
    const parsed = Recorded.safeParse(input);
    if (!parsed.success) return;
    const { digest, record } = parsed.data;
    const at = this.entries.findLastIndex((entry) => entry.digest === digest);
    if (at < 0) return;
    this.entries = this.entries.with(at, { ...this.entries[at]!, record });
    this.show();
  }

  private add(entry: TagEntry): void {
    this.entries = keptEntries([...this.entries, entry]);
    this.show();
  }

  private show(): void {
    const lines = this.entries
      .toReversed()
      .map(({ at, digest, kind, why, by }) => `- ${at} \`${digest}\` ${kind}: ${why}${by ? ` (${by})` : ''}`);
    showDetails(`**${this.repository}:${this.tag}**, the newest first\n\n${lines.join('\n')}`);
  }
}

const control = (timing: Timing, summary: string) => activities('control', timing, summary);
const sign = (timing: Timing, summary: string) => activities('sign', timing, summary);

function lookAtTag(input: LookAtTagInput): Promise<TagNow> {
  return control(input.timing, `look at ${input.repository}:${input.tag}`).lookAtTag(input);
}

function now(): string {
  return new Date().toISOString();
}

/** An activity's failure with its story in the details, for whoever sent the update. */
async function toldToSender<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    const failure = failureFrom(error, null);
    throw toTemporalFailure(failure, failure);
  }
}

function valid(schema: z.ZodType): (input: unknown) => void {
  return (input) => void parseInput(schema, input);
}

function refusal(message: string, action: string): ApplicationFailure {
  const failure = failureOf('invalid-input', message, { remedy: { action, then: null } });
  return toTemporalFailure(failure, failure);
}
