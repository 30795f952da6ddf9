/** The Temporal server, for activities. */
import {
  ScheduleNotFoundError,
  WithStartWorkflowOperation,
  WorkflowUpdateFailedError,
  type Client,
} from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter, WorkflowNotFoundError } from '@temporalio/common';
import type { ActivityAnswer, ActivityInput, ActivityName } from '../model/contract/activities.ts';
import type { WorkerConfiguration } from '../model/spec/worker-configuration.ts';
import { RECORD_QUERY, RELEASE_WORKFLOW } from '../model/contract/workflows.ts';
import { CONTROL_QUEUE } from '../model/contract/queue.ts';
import { scheduleId } from '../model/release/nightly.ts';
import { Failure, FlightlineError } from '../model/failure/failure.ts';
import { searchAttribute, type ReleaseStatus } from '../model/stage/stage.ts';
import type { Task } from './tools/process/task.ts';

export interface Server {
  /** Namespace of the workflow that the activity belongs to. */
  readonly namespace: string;
  /** The releases of an image repository that the server knows, with their requests and records. */
  releasesOf(repository: string): Promise<OpenRelease[]>;
  /** The unparsed input of the releases that an image repository's schedule starts; null without a schedule. */
  scheduledFor(repository: string): Promise<unknown>;
  /** Identities of the workers that have asked for activities of a task queue in the last minutes. */
  pollersOf(queue: string): Promise<string[]>;
  /**
   * Sends an update to a workflow of the control workers, starts the workflow if there is none, and waits for the
   * answer. A later attempt of the same activity waits for the same update.
   *
   * @throws FlightlineError the failure of the update
   */
  updateWithStart(message: WorkflowMessage): Promise<unknown>;
  /**
   * Cancels a workflow whose FlightlineStatus is `held`, without waiting for its end. `false` when it is absent or not
   * held.
   */
  cancelHeld(workflowId: string): Promise<boolean>;
}

/** What the body of an activity gets besides its input. */
export interface ActivityContext extends Task {
  readonly server: Server;
}

/** The body of an activity of control or sign workers. */
export type WorkerBody<Name extends ActivityName> = (
  worker: { configuration: WorkerConfiguration },
  input: ActivityInput<Name>,
  context: ActivityContext,
) => Promise<ActivityAnswer<Name>>;

/** An update, and the workflow that gets it. */
interface WorkflowMessage {
  workflow: { type: string; id: string; input: object; summary: string };
  update: string;
  input: object;
}

/** A release in the server's list. */
export interface OpenRelease {
  /** Workflow id. */
  release: string;
  /** Milliseconds since 1970; null while it runs or is held. */
  closedAt: number | null;
  /** Its input, unparsed. */
  request: unknown;
  /** The unparsed answer of the `record` query; null for a released one, or when nobody can answer. */
  record: unknown;
}

/** `TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API (enums/v1/task_queue.proto). */
const ACTIVITIES = 2;
const STATUS = searchAttribute('FlightlineStatus');

/** The server, for one activity. `updateId` names the activity, so that all its attempts send the same update. */
export function serverOf(client: Client, updateId: string, namespace = client.options.namespace): Server {
  const known: KnownRuns = { requests: new Map(), records: new Map() };
  return {
    namespace,
    releasesOf: (repository) => listReleases(client, repository, known),
    scheduledFor: (repository) => scheduledFor(client, repository),
    pollersOf: async (queue) => (await pollersOf(client, queue)).map(({ identity }) => identity),
    updateWithStart: async ({ workflow, update, input }) => {
      try {
        return await client.workflow.executeUpdateWithStart(update, {
          args: [input],
          updateId,
          startWorkflowOperation: new WithStartWorkflowOperation(workflow.type, {
            workflowId: workflow.id,
            taskQueue: CONTROL_QUEUE,
            workflowIdConflictPolicy: 'USE_EXISTING',
            args: [workflow.input],
            staticSummary: workflow.summary,
          }),
        });
      } catch (error) {
        throw updateError(error);
      }
    },
    cancelHeld: async (workflowId) => {
      const handle = client.workflow.getHandle(workflowId);
      try {
        const { status, typedSearchAttributes } = await handle.describe();
        const isHeld = typedSearchAttributes.get(STATUS) === ('held' satisfies ReleaseStatus);
        if (status.name !== 'RUNNING' || !isHeld) return false;
        await handle.cancel();
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },
  };
}

/** A worker that has asked for activities of a task queue in the last minutes. */
interface Poller {
  identity: string;
  /** ISO 8601; null when the server does not tell. */
  lastSeen: string | null;
}

/** The workers that have asked for activities of a task queue in the last minutes. */
export async function pollersOf(
  { connection, options }: Pick<Client, 'connection' | 'options'>,
  queue: string,
): Promise<Poller[]> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace: options.namespace,
    taskQueue: { name: queue },
    taskQueueType: ACTIVITIES,
  });
  return (pollers ?? []).flatMap(({ identity, lastAccessTime }) => {
    const lastSeen = lastAccessTime ? new Date(Number(lastAccessTime.seconds ?? 0) * 1_000).toISOString() : null;
    return identity ? [{ identity, lastSeen }] : [];
  });
}

/** The unparsed input of a workflow; null when the server does not have it. */
async function inputOf(client: Client, workflowId: string, runId: string): Promise<unknown> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const input = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  return input ? defaultPayloadConverter.fromPayload(input) : null;
}

/** By run id: the input and result of a run never change, and a prune reads them before each removal. */
interface KnownRuns {
  requests: Map<string, unknown>;
  records: Map<string, unknown>;
}

async function listReleases(
  client: Client,
  repository: string,
  { requests, records }: KnownRuns,
): Promise<OpenRelease[]> {
  // A repository name has no quotation mark.
  const query = `WorkflowType = '${RELEASE_WORKFLOW}' AND FlightlineRepository = '${repository}'`;
  const found: OpenRelease[] = [];
  for await (const { workflowId, runId, status, closeTime } of client.workflow.list({ query })) {
    const closed = status.name !== 'RUNNING' && status.name !== 'PAUSED';
    if (!requests.has(runId)) requests.set(runId, await inputOf(client, workflowId, runId));
    const record = () => client.workflow.getHandle(workflowId, runId).query<unknown>(RECORD_QUERY);
    // A failed or cancelled release leaves what it had pushed.
    if (closed && status.name !== 'COMPLETED' && !records.has(runId))
      records.set(runId, await record().catch(() => null));
    found.push({
      release: workflowId,
      closedAt: closed ? (closeTime?.getTime() ?? Date.now()) : null,
      request: requests.get(runId),
      record: closed ? (records.get(runId) ?? null) : await record(),
    });
  }
  return found;
}

async function scheduledFor(client: Client, repository: string): Promise<unknown> {
  try {
    const { action } = await client.schedule.getHandle(scheduleId(repository)).describe();
    return action.args?.[0] ?? null;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

/** The failure of an update; other errors as they are. */
function updateError(error: unknown): unknown {
  if (!(error instanceof WorkflowUpdateFailedError) || !(error.cause instanceof ApplicationFailure)) return error;
  const parsed = Failure.safeParse(error.cause.details?.[0]);
  if (!parsed.success) return error;
  const { kind, message, remedy, log } = parsed.data;
  return new FlightlineError(kind, message, { remedy, log, cause: error });
}
