/**
 * The frame of every activity, and the only place that knows Temporal: it parses the input, keeps the heartbeat, tells a cancel
 * that was asked for from a detach, turns errors into failures of a known kind, and measures and logs each attempt.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Context } from '@temporalio/activity';
import { WithStartWorkflowOperation, WorkflowUpdateFailedError } from '@temporalio/client';
import {
  ApplicationFailure,
  CancelledFailure,
  defaultPayloadConverter,
  defineSearchAttributeKey,
  TemporalFailure,
  WorkflowNotFoundError,
} from '@temporalio/common';
import { z } from 'zod';
import type { Progress } from '../model/release/progress.ts';
import { Failure, FAILURES, failureOf, FlightlineError } from '../model/release/failure.ts';
import { RECORD_QUERY, RELEASE_WORKFLOW } from '../model/contract/messages.ts';
import { counterOf, METRICS, type CounterName, type LabelsOf, type StageOutcome } from '../model/release/metric.ts';
import { CONTROL_QUEUE } from '../model/contract/queue.ts';
import { SEARCH_ATTRIBUTES, STAGES, type ReleaseStatus, type Stage } from '../model/release/stage.ts';
import { DEFAULT_TIMING } from '../model/base/timing.ts';
import { redact } from './tools/process/redact.ts';

/**
 * Why a running stage must end (DESIGN §5). `requested`: the workflow asked; stop everything and clean up. `detach`: the worker
 * shuts down, or the server lost track; leave containers running, the next attempt re-attaches.
 */
export type CancelReason = 'requested' | 'detach';

/** What a running stage, and the tools it calls, can ask of its frame. */
export interface StageContext {
  /** Aborted when the stage must end; look at {@link StageContext.cancelReason} then. */
  readonly signal: AbortSignal;
  /** Why; `undefined` while nothing was cancelled. */
  cancelReason(): CancelReason | undefined;
  /** Throws the cancellation if there is one. Call it before an exit code is classified: a rolling restart is no broken build. */
  throwIfCancelled(): void;
  /** What the workflow must know if the stage does not succeed, such as tags that were moved: its failure carries it. */
  tellUnlessDone(facts: object): void;
  /** Replaces members of the progress shown live; sent with the next heartbeat. */
  report(progress: Partial<Progress>): void;
  /** Which start of the activity this is, from 1. */
  readonly attempt: number;
  /** The releases of an image repository that the server knows, with what their requests and records tell. */
  releasesOf(repository: string): Promise<ListedRelease[]>;
  /** Namespace of the workflow. */
  readonly namespace: string;
  /** Identities of the workers that asked for activities of a task queue within the server's last minutes. */
  pollersOf(queue: string): Promise<string[]>;
  /**
   * Sends an update to a workflow of the control workers, which is started where there is none, and waits for its answer. A later
   * attempt of the same activity waits for the same update.
   *
   * @throws FlightlineError what the update failed with.
   */
  updateWithStart(message: WorkflowMessage): Promise<unknown>;
  /** Cancels a workflow whose FlightlineStatus is `held`, and waits for no end. `false` when it is not there or not held. */
  cancelHeld(workflowId: string): Promise<boolean>;
  /** A line in the worker's log, with the activity's own attributes; redacted. For audits: what was signed, for whom. */
  log(level: 'INFO' | 'WARN' | 'ERROR', message: string, attributes?: Record<string, string | number>): void;
  /** Adds to a counter that Prometheus reads. */
  count<Name extends CounterName>(name: Name, value: number, labels: LabelsOf<Name>): void;
}

/** An update, and the workflow that is to have it. */
export interface WorkflowMessage {
  workflow: { type: string; id: string; input: object; summary: string };
  update: string;
  input: object;
}

/** A release as the server lists it. */
export interface ListedRelease {
  /** Workflow id. */
  release: string;
  /** Milliseconds since 1970; null while it runs or is held. */
  closedAt: number | null;
  /** Its input, unparsed. */
  request: unknown;
  /** What the `record` query answers, unparsed; null of a closed one. */
  record: unknown;
}

const storage = new AsyncLocalStorage<StageContext>();

/** The stage that the caller runs in; `undefined` outside an activity, as in the client. */
export function currentStage(): StageContext | undefined {
  return storage.getStore();
}

const WithInterval = z.object({ timing: z.object({ heartbeatInterval: z.number().int().positive() }) });
/** An input carries its timing itself or in the release's request. */
/** Stages that an attempt may run a second time in one process: the server gives up an attempt before that one has noticed. */
const ONE_AT_A_TIME: readonly string[] = ['build', 'push', 'device-verify', 'disk-build', 'boot-test', 'publish'];
/** The end of what runs, by queue and input. Never rejects. */
const underWay = new Map<string, Promise<unknown>>();

/** Runs the body when the same work that an earlier attempt is at has ended: two would end each other's processes. */
async function inTurn<Result>(key: string, context: StageContext, body: () => Promise<Result>): Promise<Result> {
  for (let before = underWay.get(key); before; before = underWay.get(key)) {
    context.throwIfCancelled();
    const waited = new AbortController();
    await Promise.race([
      before,
      new Promise<void>((resolve) => {
        context.signal.addEventListener('abort', () => resolve(), { signal: waited.signal });
      }),
    ]);
    waited.abort();
  }
  const work = body();
  const ended = work.then(
    () => underWay.delete(key),
    () => underWay.delete(key),
  );
  underWay.set(key, ended);
  return work;
}

/** An activity of this process that runs now. */
export interface RunningActivity {
  name: string;
  taskQueue: string;
  /** Workflow id. */
  workflow: string;
  /** ISO 8601. */
  since: string;
}

const running = new Set<RunningActivity>();

/** The activities that run in this process, the longest running first. */
export function runningActivities(): RunningActivity[] {
  return [...running];
}

const HasTiming = z.union([WithInterval, z.object({ request: WithInterval }).transform(({ request }) => request)]);
/** `TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API (enums/v1/task_queue.proto). */
const ACTIVITIES = 2;
const STATUS = defineSearchAttributeKey('FlightlineStatus', SEARCH_ATTRIBUTES.FlightlineStatus);
/** Longest last line shown live (characters): heartbeat details stay below 1 kB. */
const MAX_LINE = 200;

/**
 * Makes an activity of a stage's body: the input is parsed by the schema (`invalid-input` if it does not fit), the progress is
 * sent as heartbeat at the input's `timing.heartbeatInterval`, errors become failures of their kind, and `attempts` is added.
 */
export function stage<Input extends z.ZodType, Result extends object>(
  name:
    | Stage
    | 'plan'
    | 'hosts'
    | 'prune'
    | 'notify'
    | 'compare'
    | 'supersede'
    | 'shared-tag'
    | 'promotion'
    | 'claim'
    | 'probe'
    | 'clean-up'
    | 'log'
    | 'keep-logs'
    | 'host-status'
    | 'prove-signing',
  input: Input,
  body: (input: z.infer<Input>, context: StageContext) => Promise<Result>,
): (input: z.infer<Input>) => Promise<Result & { attempts: number }> {
  return async (given) => {
    const activity = Context.current();
    const { attempt } = activity.info;
    const progress: Record<string, unknown> = { stage: name };
    const cancelReason = (): CancelReason | undefined => {
      if (!activity.cancellationSignal.aborted) return undefined;
      return activity.cancellationDetails?.cancelRequested ? 'requested' : 'detach';
    };
    let told: object | undefined;
    const requests = new Map<string, unknown>();
    const context: StageContext = {
      signal: activity.cancellationSignal,
      cancelReason,
      throwIfCancelled: () => {
        if (!activity.cancellationSignal.aborted) return;
        const reason: unknown = activity.cancellationSignal.reason;
        if (told !== undefined && cancelReason() === 'requested') throw new CancelledFailure('cancelled', [told]);
        throw reason instanceof Error ? reason : new CancelledFailure('cancelled');
      },
      tellUnlessDone: (facts) => {
        told = facts;
      },
      report: (change) => {
        Object.assign(progress, change);
        if (typeof progress.line === 'string') progress.line = redact(progress.line).slice(-MAX_LINE);
      },
      attempt,
      namespace: activity.info.workflowNamespace ?? activity.client.options.namespace,
      releasesOf: (repository) => listReleases(activity.client, repository, requests),
      pollersOf: (queue) => pollersOf(activity.client, queue),
      updateWithStart: async ({ workflow, update, input: message }) => {
        const { workflowExecution, activityId } = activity.info;
        try {
          return await activity.client.workflow.executeUpdateWithStart(update, {
            args: [message],
            updateId: `${workflowExecution?.runId ?? ''}/${activityId}`,
            startWorkflowOperation: new WithStartWorkflowOperation(workflow.type, {
              workflowId: workflow.id,
              taskQueue: CONTROL_QUEUE,
              workflowIdConflictPolicy: 'USE_EXISTING',
              args: [workflow.input],
              staticSummary: workflow.summary,
            }),
          });
        } catch (error) {
          throw failureOfUpdate(error);
        }
      },
      cancelHeld: async (workflowId) => {
        const handle = activity.client.workflow.getHandle(workflowId);
        try {
          const { status, typedSearchAttributes } = await handle.describe();
          if (status.name !== 'RUNNING' || typedSearchAttributes.get(STATUS) !== ('held' satisfies ReleaseStatus))
            return false;
          await handle.cancel();
          return true;
        } catch (error) {
          if (error instanceof WorkflowNotFoundError) return false;
          throw error;
        }
      },
      log: (level, message, attributes = {}) => {
        const clean = Object.entries(attributes).map(([key, value]) => [
          key,
          typeof value === 'string' ? redact(value) : value,
        ]);
        activity.log.log(level, redact(message), Object.fromEntries(clean) as Record<string, string | number>);
      },
      count: (metric, value, labels) => counterOf(activity.metricMeter, metric).add(value, labels),
    };
    const ended = observe(activity, name);
    const timing = HasTiming.safeParse(given);
    const interval = timing.success ? timing.data.timing.heartbeatInterval : DEFAULT_TIMING.heartbeatInterval;
    const heartbeat = () => activity.heartbeat({ ...progress });
    heartbeat();
    const self: RunningActivity = {
      name,
      taskQueue: activity.info.taskQueue,
      workflow: activity.info.workflowExecution?.workflowId ?? '',
      since: new Date().toISOString(),
    };
    running.add(self);
    const timer = setInterval(heartbeat, interval);
    try {
      const parsed = input.safeParse(given);
      if (!parsed.success) {
        throw new FlightlineError('invalid-input', `the ${name} activity was given: ${z.prettifyError(parsed.error)}`);
      }
      const run = () => storage.run(context, () => body(parsed.data, context));
      const key = `${activity.info.taskQueue}\n${name}\n${JSON.stringify(given)}`;
      const result = await (ONE_AT_A_TIME.includes(name) ? inTurn(key, context, run) : run());
      ended('done');
      return { ...result, attempts: attempt };
    } catch (error) {
      const reason = cancelReason();
      if (reason) ended(reason === 'requested' ? 'cancelled' : 'detached');
      context.throwIfCancelled();
      const failure = error instanceof TemporalFailure ? error : toApplicationFailure(error, name, told);
      ended('failed', failure);
      throw failure;
    } finally {
      clearInterval(timer);
      running.delete(self);
    }
  };
}

/**
 * Logs that an attempt begins; the answer logs and measures how it ended. What is no stage is not measured, and is news only when
 * it fails; a claim that fails only waits for its turn.
 */
function observe(activity: Context, name: string): (outcome: StageOutcome, failure?: TemporalFailure) => void {
  const isStage = (STAGES as readonly string[]).includes(name);
  const begin = performance.now();
  const log = (level: 'INFO' | 'WARN', message: string, attributes: Record<string, string | number>) => {
    const isNews = isStage || (level === 'WARN' && name !== 'claim');
    const { attempt } = activity.info;
    activity.log.log(isNews ? level : 'DEBUG', message, { stage: name, attempt, ...attributes });
  };
  log('INFO', `${name} begins`, { event: 'stage-begun' });
  return (outcome, failure) => {
    const seconds = (performance.now() - begin) / 1_000;
    const kind = failure instanceof ApplicationFailure ? (failure.type ?? 'unexpected') : 'unexpected';
    log(
      outcome === 'failed' ? 'WARN' : 'INFO',
      failure ? `${name} failed: ${failure.message}` : `${name} is ${outcome}`,
      {
        event: 'stage-ended',
        outcome,
        seconds: Number(seconds.toFixed(3)),
        ...(failure ? { kind } : {}),
      },
    );
    if (!isStage) return;
    const { help } = METRICS.flightline_stage_duration_seconds;
    activity.metricMeter
      .createHistogram('flightline_stage_duration_seconds', 'float', '', help)
      .record(seconds, { stage: name, outcome });
    if (failure) counterOf(activity.metricMeter, 'flightline_stage_failures_total').add(1, { stage: name, kind });
  };
}

/** Identities of the workers that asked for activities of a task queue within the server's last minutes. */
export async function pollersOf(
  { connection, options }: Pick<Context['client'], 'connection' | 'options'>,
  queue: string,
): Promise<string[]> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace: options.namespace,
    taskQueue: { name: queue },
    taskQueueType: ACTIVITIES,
  });
  return (pollers ?? []).flatMap(({ identity }) => (identity ? [identity] : []));
}

/** What a workflow was started with, unparsed; null when the server does not tell. */
async function inputOf(client: Context['client'], workflowId: string, runId: string): Promise<unknown> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const input = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  return input ? defaultPayloadConverter.fromPayload(input) : null;
}

/** `requests`: those that are known by run id; what a run was asked never changes, and a prune looks before each removal. */
async function listReleases(
  client: Context['client'],
  repository: string,
  requests: Map<string, unknown>,
): Promise<ListedRelease[]> {
  // A repository's grammar has no quotation mark.
  const query = `WorkflowType = '${RELEASE_WORKFLOW}' AND FlightlineRepository = '${repository}'`;
  const found: ListedRelease[] = [];
  for await (const { workflowId, runId, status, closeTime } of client.workflow.list({ query })) {
    const closed = status.name !== 'RUNNING' && status.name !== 'PAUSED';
    if (!requests.has(runId)) requests.set(runId, await inputOf(client, workflowId, runId));
    found.push({
      release: workflowId,
      closedAt: closed ? (closeTime?.getTime() ?? Date.now()) : null,
      request: requests.get(runId),
      record: closed ? null : await client.workflow.getHandle(workflowId, runId).query(RECORD_QUERY),
    });
  }
  return found;
}

/** Turns any error into a Temporal failure whose type is the kind; its details are the {@link Failure} and what else is told. */
export function toApplicationFailure(error: unknown, stageName: string, told?: object): ApplicationFailure {
  const failure = failureFrom(error, stageName);
  return ApplicationFailure.create({
    message: failure.message,
    type: failure.kind,
    nonRetryable: FAILURES[failure.kind].disposition !== 'retry',
    details: told === undefined ? [failure] : [failure, told],
  });
}

function failureFrom(error: unknown, stageName: string): Failure {
  if (error instanceof FlightlineError) {
    return { ...error.failure, message: redact(error.failure.message), stage: stageName };
  }
  if (isNodeError(error) && error.code === 'ENOSPC') {
    return failureOf('disk-full', `no space left: ${redact(error.message)}`, { stage: stageName });
  }
  const text = error instanceof Error ? error.message : String(error);
  return failureOf('unexpected', redact(text), { stage: stageName });
}

/** What an update failed with; any other error as it is. */
function failureOfUpdate(error: unknown): unknown {
  if (!(error instanceof WorkflowUpdateFailedError) || !(error.cause instanceof ApplicationFailure)) return error;
  const parsed = Failure.safeParse(error.cause.details?.[0]);
  if (!parsed.success) return error;
  const { kind, message, remedy, log } = parsed.data;
  return new FlightlineError(kind, message, { remedy, log, cause: error });
}

function isNodeError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}
