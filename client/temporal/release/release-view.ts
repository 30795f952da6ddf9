/**
 * Reads a release as it stands now: what the server says of its workflow and builder runs, the `record` query, and the
 * progress in the heartbeats of their pending activities.
 */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { z } from 'zod';
import { RECORD_QUERY, ReleaseFailure } from '../../../model/contract/workflows.ts';
import { failureOf } from '../../../model/failure/failure.ts';
import { ReleaseRecord, type StageRow } from '../../../model/release/record.ts';
import { describeWorkflow, REQUEST_TIMEOUT, type Temporal } from '../temporal.ts';
import { noControlWorker, parseAnswer } from '../control.ts';
import { pendingActivities, Waits } from './pending-activities.ts';
import { detailIn, failureOfError } from '../failure.ts';
import { grpcDetails, isNotFound, isWorkerAway, UserError } from '../../terminal/errors.ts';
import { BranchState, mergeStages, type ReleaseView } from '../../view/activities.ts';

/** The last answer of a workflow. It is queried again only when its history has grown. */
interface Seen<State> {
  historyLength: number;
  state: State;
}

/** Follows one run of a release. */
export interface ReleaseReader {
  readonly release: string;
  readonly runId: string;
  /**
   * The release now. While Temporal or the control worker is away, a later call throws (`isUnavailable`) or answers
   * what was seen last.
   *
   * @throws UserError `no-control-worker` when the first look at it needs one and none answers.
   */
  read(): Promise<ReleaseView>;
  /**
   * Resolves as soon as the run ends, or when it cannot be waited for any more (Temporal went away): look then. Never
   * rejects.
   */
  ended(): Promise<void>;
}

/**
 * Finds a release; the latest run unless one is named.
 *
 * @throws UserError `unknown-release` (exit code 2) when there is none.
 */
export async function openRelease(temporal: Temporal, release: string, runId?: string): Promise<ReleaseReader> {
  const first = await describeWorkflow(temporal, release, runId);
  if (!first || first.type !== 'release') throw unknownRelease(temporal, release);
  return makeReader(temporal, release, first.runId);
}

/** The error for a release that Temporal does not know. */
function unknownRelease(temporal: Temporal, release: string): UserError {
  return new UserError(
    'unknown-release',
    `there is no release ${release.replace(/^release\//, '')} in Temporal (namespace ${temporal.namespace} ` +
      `at ${temporal.address})`,
    '`flightline list` shows what there is; what ended long ago is only in the registry',
  );
}

function makeReader(temporal: Temporal, release: string, runId: string): ReleaseReader {
  const converter = temporal.client.options.loadedDataConverter.payloadConverter;
  const waits = new Waits(temporal);
  let record: Seen<ReleaseRecord> | undefined;
  let final: ReleaseView | undefined;
  let unansweredSince: number | undefined;
  const branches = new Map<string, Seen<StageRow[]>>();

  const read = async (): Promise<ReleaseView> => {
    if (final) return final;
    const description = await describeWorkflow(temporal, release, runId);
    if (!description) throw unknownRelease(temporal, release);
    if (description.status.name !== 'RUNNING') {
      final = { record: await closedRecord(temporal, description, record?.state), activities: [] };
      return final;
    }
    if (record?.historyLength !== description.historyLength) {
      try {
        const state = await query(temporal, release, runId, ReleaseRecord);
        record = { historyLength: description.historyLength, state };
        unansweredSince = undefined;
      } catch (error) {
        if (!isWorkerAway(error)) throw error;
        // Temporal has just answered, so it is the worker that does not.
        const waitsForOne = `${release} waits for one and then goes on by itself (${grpcDetails(error)})`;
        if (!record) throw noControlWorker(temporal, waitsForOne);
        unansweredSince ??= Date.now();
      }
    }
    const activities = await pendingActivities(description, 'image', { converter, waits });
    const stages: StageRow[][] = [];
    for (const child of description.raw.pendingChildren ?? []) {
      const id = child.workflowId ?? '';
      const seen = await readBranch(temporal, id, branches, waits);
      if (!seen) continue;
      stages.push(seen.stages);
      activities.push(...seen.activities);
    }
    const merged = { ...record.state, stages: mergeStages(record.state.stages, stages) };
    return { record: merged, activities, ...(unansweredSince !== undefined && { unansweredSince }) };
  };

  return { release, runId, read, ended: () => endOf(temporal, release, runId) };
}

/** Resolves at the release's end: a request that waits at the server, beside which the looks go on. */
async function endOf(temporal: Temporal, release: string, runId: string): Promise<void> {
  await temporal.client.workflow
    .getHandle(release, runId, { followRuns: false })
    .result()
    .catch(() => undefined);
}

/** The stages and activities of a builder run; undefined when it has ended. `branches` keeps what was seen last. */
async function readBranch(temporal: Temporal, id: string, branches: Map<string, Seen<StageRow[]>>, waits: Waits) {
  const description = await describeWorkflow(temporal, id);
  if (!description || description.status.name !== 'RUNNING') return undefined;
  // A branch that goes on after a hold is a new run under the same id.
  const key = `${id} ${description.runId}`;
  const seen = branches.get(key);
  if (seen?.historyLength !== description.historyLength) {
    try {
      const { stages } = await query(temporal, id, undefined, BranchState);
      branches.set(key, { historyLength: description.historyLength, state: stages });
    } catch (error) {
      // A builder run that has just ended answers nothing; its release knows its stages then.
      if (!isWorkerAway(error) && !isNotFound(error)) throw error;
    }
  }
  const converter = temporal.client.options.loadedDataConverter.payloadConverter;
  const activities = await pendingActivities(description, id.slice(id.lastIndexOf('/') + 1), { converter, waits });
  return { stages: branches.get(key)?.state ?? [], activities };
}

async function query<Schema extends z.ZodType>(
  temporal: Temporal,
  id: string,
  runId: string | undefined,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const answer = await temporal.within(REQUEST_TIMEOUT, () =>
    temporal.client.workflow.getHandle(id, runId).query(RECORD_QUERY),
  );
  return parseAnswer(schema, answer, id);
}

/** The record of a release that has ended. */
async function closedRecord(
  temporal: Temporal,
  description: WorkflowExecutionDescription,
  last: ReleaseRecord | undefined,
): Promise<ReleaseRecord> {
  const { workflowId, runId, status } = description;
  if (status.name === 'COMPLETED' || status.name === 'FAILED') {
    const outcome = await result(temporal, workflowId, runId);
    if (outcome.ok) return parseAnswer(ReleaseRecord, outcome.value, workflowId);
    const carried = detailIn(outcome.error, ReleaseFailure)?.record;
    if (carried) return carried;
    return endedOtherwise(await lastRecord(), failureOfError(outcome.error).message);
  }
  if (status.name === 'CANCELLED') return { ...stopped(await lastRecord()), status: 'cancelled' };
  return endedOtherwise(await lastRecord(), `the workflow was ended in Temporal (${status.name.toLowerCase()})`);

  async function lastRecord(): Promise<ReleaseRecord> {
    try {
      return await query(temporal, workflowId, runId, ReleaseRecord);
    } catch (error) {
      if (!isWorkerAway(error)) throw error;
      if (last) return last;
      throw noControlWorker(
        temporal,
        `${workflowId} has ended (${status.name.toLowerCase()}), and only one knows more`,
      );
    }
  }
}

async function result(
  temporal: Temporal,
  id: string,
  runId: string,
): Promise<{ ok: true; value: unknown } | { ok: false; error: unknown }> {
  try {
    const handle = temporal.client.workflow.getHandle(id, runId, { followRuns: false });
    return { ok: true, value: await temporal.within(REQUEST_TIMEOUT, () => handle.result()) };
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowFailedError') return { ok: false, error };
    throw error;
  }
}

/** For a workflow that ended without its own doing: what ran is over, and the record says so. */
function endedOtherwise(record: ReleaseRecord, message: string): ReleaseRecord {
  const failure = record.failure ?? failureOf('unexpected', message, { remedy: 'find out who ended it' });
  return { ...stopped(record), status: 'failed', failure };
}

/** Nothing runs any more: a record that was read before the end may say otherwise. */
function stopped(record: ReleaseRecord): ReleaseRecord {
  const stages = record.stages.map((row) =>
    row.status === 'running' || row.status === 'waiting' ? { ...row, status: 'cancelled' as const } : row,
  );
  return { ...record, stages };
}
