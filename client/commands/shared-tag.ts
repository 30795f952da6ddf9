/** `flightline rollback` and `history`: back to what a tag pointed at, and what that was. */
import { WithStartWorkflowOperation } from '@temporalio/client';
import { remedyWithoutRetry } from '../../model/release/failure.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import {
  HISTORY_QUERY,
  ROLLBACK_UPDATE,
  RollbackInput,
  RollbackResult,
  SHARED_TAG_WORKFLOW,
  sharedTagId,
  TAG_NOW_WORKFLOW,
  TagHistory,
  TagNow,
  type LookAtTagInput,
} from '../../model/tags/shared-tag.ts';
import { timingWith } from '../../model/base/timing.ts';
import { awaitControlWorker, REQUEST_TIMEOUT, withTemporal, type Temporal } from '../temporal/connection.ts';
import { isNotFound, isUnavailable, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { withInterrupt } from '../terminal/pause.ts';
import { thisPerson } from '../terminal/person.ts';
import { timingFromEnvironment } from '../project/preparation.ts';
import { nameOf } from '../temporal/release-name.ts';
import { failureOfError } from '../temporal/release-view.ts';
import { renderHistory } from '../view/history.ts';

/** Milliseconds for a rollback or a look, which read from a registry and write to it. */
const ANSWER_TIMEOUT = 5 * 60_000;

/** Options of `flightline rollback`. */
export interface RollbackOptions {
  /** Digest of an image or record, or tag of a record; without it the one before. */
  to?: string | undefined;
  comment?: string | undefined;
  recordRepository?: string | undefined;
}

/** `flightline rollback REPOSITORY:TAG`: moves the tag back, with its record, and its disks where they have the name. */
export async function rollback(name: string, options: RollbackOptions, output: Output): Promise<number> {
  const { repository, tag } = nameOf(name);
  const parsed = RollbackInput.safeParse({
    recordRepository: options.recordRepository ?? `${repository}/release`,
    to: options.to ?? null,
    by: thisPerson(),
    why: options.comment ?? 'rolled back',
    timing: timing(),
  });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UserError(
      'usage',
      `${issue!.path.join('.')}: ${issue!.message}`,
      '`flightline history` shows the digests',
    );
  }
  return withTemporal((temporal) =>
    withInterrupt(async (signal) => {
      await awaitControlWorker(temporal, signal);
      const { from, to, moved } = await askToRollBack(temporal, { repository, tag }, parsed.data);
      output.result(
        [`${repository}:${tag} points at ${to.digest} again`, ...(from ? [`  before: ${from.digest}`] : [])].join('\n'),
      );
      output.document({ repository, tag, from, to, moved });
      return EXIT.ok;
    }),
  );
}

async function askToRollBack(
  temporal: Temporal,
  { repository, tag }: { repository: string; tag: string },
  input: RollbackInput,
): Promise<RollbackResult> {
  try {
    const answer = await temporal.within(ANSWER_TIMEOUT, () =>
      temporal.client.workflow.executeUpdateWithStart(ROLLBACK_UPDATE, {
        args: [input],
        startWorkflowOperation: new WithStartWorkflowOperation(SHARED_TAG_WORKFLOW, {
          workflowId: sharedTagId(repository, tag),
          taskQueue: CONTROL_QUEUE,
          workflowIdConflictPolicy: 'USE_EXISTING',
          args: [{ repository, tag, entries: [] }],
          staticSummary: `${repository}:${tag}`.slice(0, 200),
        }),
      }),
    );
    return RollbackResult.parse(answer);
  } catch (error) {
    const kind = error instanceof Error ? error.name : '';
    if (isUnavailable(error) || kind === 'WorkflowUpdateRPCTimeoutOrCancelledError') {
      throw new UserError(
        'no-answer',
        `${repository}:${tag} was not rolled back within ${ANSWER_TIMEOUT / 60_000} minutes; it goes on being tried`,
        `see that sign and control workers run; \`flightline history ${repository}:${tag}\` shows what it points at`,
        EXIT.unavailable,
      );
    }
    if (kind !== 'WorkflowUpdateFailedError') throw error;
    const failure = failureOfError(error);
    const message = `${repository}:${tag} was not rolled back: ${failure.message}`;
    throw new UserError(failure.kind, message, remedyWithoutRetry(failure.remedy, 'roll back again'), EXIT.failed);
  }
}

/** Options of `flightline history`. */
export interface HistoryOptions {
  recordRepository?: string | undefined;
}

/** `flightline history REPOSITORY:TAG`. */
export async function history(name: string, options: HistoryOptions, output: Output): Promise<number> {
  const { repository, tag } = nameOf(name);
  const recordRepository = options.recordRepository ?? `${repository}/release`;
  return withTemporal((temporal) =>
    withInterrupt(async (signal) => {
      const kept = await keptHistory(temporal, repository, tag);
      if (!kept) await awaitControlWorker(temporal, signal);
      const found = kept ?? (await presentOnly(temporal, { repository, tag, recordRepository, timing: timing() }));
      if (!kept) output.note('Temporal knows no moves of this tag: this is what it points at now');
      output.result(renderHistory(found, output.colour.result).join('\n'));
      output.document({ ...found, complete: kept !== undefined });
      return EXIT.ok;
    }),
  );
}

/** What the tag's workflow keeps; `undefined` when there is none that runs, or it knows of nothing yet. */
async function keptHistory(temporal: Temporal, repository: string, tag: string): Promise<TagHistory | undefined> {
  const handle = temporal.client.workflow.getHandle(sharedTagId(repository, tag));
  try {
    const { status } = await temporal.within(REQUEST_TIMEOUT, () => handle.describe());
    if (status.name !== 'RUNNING') return undefined;
    const answer = TagHistory.parse(await temporal.within(REQUEST_TIMEOUT, () => handle.query(HISTORY_QUERY)));
    return answer.entries.length > 0 ? answer : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The verified record of what the tag points at, looked up by a control worker, which has the keys. */
async function presentOnly(temporal: Temporal, input: LookAtTagInput): Promise<TagHistory> {
  const { repository, tag } = input;
  let now: TagNow;
  try {
    const answer = await temporal.within(ANSWER_TIMEOUT, () =>
      temporal.client.workflow.execute(TAG_NOW_WORKFLOW, {
        workflowId: `tag-now/${repository}:${tag}`,
        taskQueue: CONTROL_QUEUE,
        workflowIdConflictPolicy: 'USE_EXISTING',
        args: [input],
      }),
    );
    now = TagNow.parse(answer);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'WorkflowFailedError') throw error;
    const { kind, message, remedy } = failureOfError(error);
    throw new UserError(kind, message, remedy, EXIT.failed);
  }
  const { digest, record } = now;
  if (digest === null) {
    throw new UserError('unknown-tag', `${repository}:${tag} is not in the registry`, 'check the name');
  }
  const why = record ? 'its signed record says so' : 'no signed record of it is known';
  const entry = { kind: 'found' as const, digest, record: record?.digest ?? null, release: record?.release ?? null };
  return {
    repository,
    tag,
    entries: [{ ...entry, made: record?.made ?? null, at: record?.made ?? new Date().toISOString(), by: null, why }],
  };
}

function timing() {
  return timingWith(timingFromEnvironment(process.env));
}
