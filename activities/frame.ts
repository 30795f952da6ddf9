/**
 * The frame of every activity: it parses the input, sends the heartbeat, tells a requested cancellation from a detach,
 * turns errors into failures of a known kind, and measures and logs each attempt. Nothing else knows Temporal's
 * activity context.
 */
import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
import { z } from 'zod';
import { activitiesOn, spokenName, type ActivityName } from '../model/contract/activities.ts';
import { FlightlineError } from '../model/failure/failure.ts';
import { FAILURES } from '../model/failure/failures.ts';
import { counterOf, METRICS, type StageOutcome } from '../model/base/metric.ts';
import { STAGES } from '../model/stage/stage.ts';
import { knownFailure } from './failure.ts';
import { inTurn, isRepeated, whileRunning } from './running.ts';
import { serverOf, type ActivityContext, type Server } from './server.ts';
import { redact } from './tools/process/redact.ts';
import { runTask, type Task } from './tools/process/task.ts';

/** Activities that an attempt may run a second time in one process: those that start programs of their own. */
const ONE_AT_A_TIME = (['build', 'disk', 'transfer'] as const).flatMap(activitiesOn);
/**
 * Steps that need only their host, since registries have kinds of failure of their own. An unknown failure that repeats
 * itself word for word will do so again.
 */
const LOCAL = (['build', 'disk'] as const).flatMap(activitiesOn);
/** How many heartbeats fit into the time after which the server gives an attempt up. */
const BEATS = 10;
/** Pause between two heartbeats of an activity without a heartbeat timeout (ms). */
const IDLE_PAUSE = 10_000;
/** Longest last line shown live (characters): heartbeat details stay below 1 kB. */
const MAX_LINE = 200;

/** An attempt's task, its progress, and what its failure will carry. */
interface Attempt {
  readonly context: ActivityContext;
  readonly progress: Record<string, unknown>;
  told: object | undefined;
}

/**
 * Makes an activity of its body: parses the input by the schema (`invalid-input` if it does not fit), sends the
 * progress as heartbeat, turns errors into failures of their kind, and adds `attempts` to the result.
 */
export function framed<Input extends z.ZodType, Result extends object>(
  activityName: ActivityName,
  schema: Input,
  body: (input: z.infer<Input>, context: ActivityContext) => Promise<Result>,
): (given: z.infer<Input>) => Promise<Result & { attempts: number }> {
  const name = spokenName(activityName);
  return async (given) => {
    const activity = Context.current();
    const { attempt, taskQueue, workflowExecution } = activity.info;
    const begun = begin(activity, name);
    const { context } = begun;
    const ended = observe(activity, name);
    const self = {
      name,
      taskQueue,
      workflow: workflowExecution?.workflowId ?? '',
      since: new Date().toISOString(),
    };
    const id = `${workflowExecution?.runId ?? ''} ${activity.info.activityId}`;
    const stopHeart = keepHeart(activity, begun.progress);
    try {
      const result = await whileRunning(self, () => {
        const parsed = schema.safeParse(given);
        if (!parsed.success) {
          throw new FlightlineError(
            'invalid-input',
            `the ${name} activity was given: ${z.prettifyError(parsed.error)}`,
          );
        }
        const run = () => runTask(context, () => body(parsed.data, context));
        const key = `${taskQueue}\n${name}\n${JSON.stringify(given)}`;
        return ONE_AT_A_TIME.includes(activityName) ? inTurn(key, context, run) : run();
      });
      ended('done');
      isRepeated(id, null);
      return { ...result, attempts: attempt };
    } catch (error) {
      const reason = context.cancelReason();
      if (reason) ended(reason === 'requested' ? 'cancelled' : 'detached');
      context.throwIfCancelled();
      const again = LOCAL.includes(activityName) && isRepeated(id, unknownMessage(error, name));
      const failure = error instanceof TemporalFailure ? error : toApplicationFailure(error, name, begun.told, again);
      ended('failed', failure);
      throw failure;
    } finally {
      stopHeart();
    }
  };
}

function begin(activity: Context, name: string): Attempt {
  const { cancellationSignal: signal, info, metricMeter } = activity;
  const cancelReason: Task['cancelReason'] = () => {
    if (!signal.aborted) return undefined;
    return activity.cancellationDetails?.cancelRequested ? 'requested' : 'detach';
  };
  const progress: Record<string, unknown> = { stage: name };
  let server: Server | undefined;
  const begun: Attempt = {
    progress,
    told: undefined,
    context: {
      signal,
      cancelReason,
      throwIfCancelled: () => {
        if (!signal.aborted) return;
        const reason: unknown = signal.reason;
        if (begun.told !== undefined && cancelReason() === 'requested') {
          throw new CancelledFailure('cancelled', [begun.told]);
        }
        throw reason instanceof Error ? reason : new CancelledFailure('cancelled');
      },
      tellUnlessDone: (facts) => {
        begun.told = facts;
      },
      report: (change) => {
        Object.assign(progress, change);
        if (typeof progress.line === 'string') progress.line = redact(progress.line).slice(-MAX_LINE);
      },
      attempt: info.attempt,
      log: (level, message, attributes = {}) => {
        const clean = Object.entries(attributes).map(([key, value]) => [
          key,
          typeof value === 'string' ? redact(value) : value,
        ]);
        activity.log.log(level, redact(message), Object.fromEntries(clean) as Record<string, string | number>);
      },
      count: (metric, value, labels) => counterOf(metricMeter, metric).add(value, labels),
      // Make a client only for activities that ask the server.
      get server() {
        const { workflowExecution, activityId, workflowNamespace } = info;
        const updateId = `${workflowExecution?.runId ?? ''}/${activityId}`;
        return (server ??= serverOf(activity.client, updateId, workflowNamespace));
      },
    },
  };
  return begun;
}

/** Sends the progress as heartbeat, now and regularly until the returned function is called. */
function keepHeart(activity: Context, progress: Record<string, unknown>): () => void {
  const beat = () => activity.heartbeat({ ...progress });
  beat();
  const { heartbeatTimeoutMs } = activity.info;
  const timer = setInterval(beat, heartbeatTimeoutMs ? heartbeatTimeoutMs / BEATS : IDLE_PAUSE);
  return () => clearInterval(timer);
}

/**
 * Logs that an attempt begins. The returned function logs and measures its end. An activity that is no stage is not
 * measured, and logged only when it fails; a failed claim only waits for its turn.
 */
function observe(activity: Context, name: string): (outcome: StageOutcome, failure?: TemporalFailure) => void {
  const isStage = (STAGES as readonly string[]).includes(name);
  const started = performance.now();
  const log = (level: 'INFO' | 'WARN', message: string, attributes: Record<string, string | number>) => {
    const isNews = isStage || (level === 'WARN' && name !== 'claim');
    const { attempt } = activity.info;
    activity.log.log(isNews ? level : 'DEBUG', message, { stage: name, attempt, ...attributes });
  };
  log('INFO', `${name} begins`, { event: 'stage-begun' });
  return (outcome, failure) => {
    const seconds = (performance.now() - started) / 1_000;
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

/**
 * Turns any error into a Temporal failure whose type is the kind. Its details are the failure and what the task told.
 * What happens `again` is not tried a third time, since a person must look at it.
 */
function toApplicationFailure(error: unknown, stage: string, told?: object, again = false): ApplicationFailure {
  const failure = knownFailure(error, stage);
  return ApplicationFailure.create({
    message: failure.message,
    type: failure.kind,
    nonRetryable: again || FAILURES[failure.kind].disposition !== 'retry',
    details: told === undefined ? [failure] : [failure, told],
  });
}

/** The message of a failure of no known kind; null for other failures. */
function unknownMessage(error: unknown, stage: string): string | null {
  if (error instanceof TemporalFailure) return null;
  const { kind, message } = knownFailure(error, stage);
  return kind === 'unexpected' ? message : null;
}
