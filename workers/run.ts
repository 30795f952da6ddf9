/** A worker process: from roles and a configuration to polling task queues, until it is told to stop. */
import { Client } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { offeredOn } from '../activities/index.ts';
import { drainingOf, drainingReason } from '../activities/host/drain.ts';
import type { HostContext } from '../activities/host/work-directory.ts';
import { FlightlineError } from '../model/failure/failure.ts';
import type { ActivityQueue } from '../model/contract/activity.ts';
import { ROLES, workerIdentity, type Role } from '../model/contract/queue.ts';
import { failAbandonedAttempts } from './attempts.ts';
import { chooseHostName, loadWorkerConfiguration } from './configuration.ts';
import { connectToTemporal, temporalTarget } from './temporal/connection.ts';
import { startJanitor } from './janitor.ts';
import { removeLeftAccess } from '../activities/tools/registry/access.ts';
import { version } from '../activities/tools/version.ts';
import { openHost, openSignDirectory } from './host/open-directories.ts';
import { chooseLogLevel, createLogger, WORKER_READY, WORKER_STOPPED, type LogSink } from './telemetry/log.ts';
import { offerHealth } from './telemetry/health.ts';
import { credentialEnds } from './telemetry/credentials.ts';
import { measureCredentials, measureHost, measureReleases } from './telemetry/measure.ts';
import { interceptedBy, tracesOf } from './telemetry/worker-traces.ts';
import { planQueues, type QueuePlan } from './queues.ts';
import { installRuntime } from './telemetry/runtime.ts';
import { warmUp } from './warm-up.ts';
import type { WorkflowSource } from './workflow-source.ts';
import { prepareControl } from './temporal/prepare-control.ts';
import { startTakeOver } from './temporal/take-over.ts';
import { versioningOptions } from './temporal/versions.ts';

interface RunWorkerOptions {
  /** One or more, each at most once. */
  roles: readonly Role[];
  /** Default is the configuration's, then the machine's. */
  hostName?: string;
  /** Default is {@link DEFAULT_WORKER_CONFIGURATION}, or no file at all. */
  configurationFile?: string;
  /** `IP:PORT` where Prometheus reads the metrics; default is the configuration's, and nowhere without one. */
  metrics?: string;
  /**
   * Longest pause between two heartbeats that reach the server (ms): how soon a cancellation is noticed. Default 5 s.
   */
  heartbeatThrottle?: number;
  /** Replaces a role's activities, for measurements without them. */
  activities?: Partial<Record<ActivityQueue, object>>;
  /** Stops the worker, like SIGTERM and SIGINT. */
  signal?: AbortSignal;
  /** Where log lines go; default standard output. */
  log?: LogSink;
}

const HEARTBEAT_THROTTLE = 5_000;
/** After this time the process ends even if an activity has not (ms). The next start fails that attempt. */
const SHUTDOWN_FORCE = 30_000;
/**
 * Cached workflows; a release of three disks has three. A workflow that is not cached reads and replays its whole
 * history for each task: with 50 a busy worker takes more memory and half as much processor time again. With 500 it
 * takes a fifth more memory than with 150 (bench/RESULTS.md).
 */
const CACHED_WORKFLOWS = 200;
/** Milliseconds in which Temporal must answer a worker that is asked whether it is ready. */
const READY_WITHIN = 2_000;
/** How soon the workflows of a killed control worker move to another one, or to its successor (ms). */
const STICKY_TIMEOUT = 2_000;

/**
 * Runs workers of the given roles until SIGTERM, SIGINT or the signal: then no new work is taken, host activities
 * detach, and it returns when the rest has ended. Writes a JSON line with `"event":"worker-ready"` when it polls.
 *
 * @throws FlightlineError `invalid-input` for a wrong configuration, `host-setup` for a work directory in use or a
 * missing right.
 * @throws TemporalUnreachableError when no server answers.
 */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const roles = ROLES.filter((role) => options.roles.includes(role));
  if (roles.length === 0) throw new FlightlineError('invalid-input', 'a worker needs at least one role');
  const { configuration, file } = await loadWorkerConfiguration(options.configurationFile);
  const hostName = chooseHostName(options.hostName, configuration);
  const logger = createLogger({ host: hostName, roles }, options.log, chooseLogLevel(configuration));
  // Programs wait for these lines, so they are logged at any level.
  const notices = logger.child({}, { level: 'info' });
  if (file === null) logger.info('no worker configuration: the defaults hold, without keys and registry logins');
  const target = temporalTarget();
  const undo: (() => unknown)[] = [];
  try {
    const listen = options.metrics ?? configuration.metrics?.listen;
    installRuntime(logger, { host: hostName, listen });
    await removeLeftAccess();
    const host = await openHost(roles, hostName, configuration, undo);
    const signDirectory = roles.includes('sign') ? await openSignDirectory(configuration, logger, undo) : undefined;
    const connection = await connectToTemporal(target);
    undo.push(() => connection.close());
    const client = new Client({ connection, namespace: target.namespace });
    const traces = await tracesOf(roles, hostName, logger, undo);
    const source = roles.includes('control')
      ? await prepareControl(connection, target.namespace, client, logger, configuration.workerVersioning)
      : undefined;
    await failLeftAttempts(client, [host?.work.attempts, signDirectory], logger);
    const draining = host && (await drainingOf(host.work));
    if (draining)
      logger.warn(`${drainingReason(hostName, draining)}: it takes no claims until \`flightline drain --undo\``);
    const plans = planQueues(roles, host, configuration.limits);
    const workers: Worker[] = [];
    for (const plan of plans) {
      const directory = plan.role === 'build' ? host?.work.attempts : plan.role === 'sign' ? signDirectory : undefined;
      const activities = options.activities?.[plan.activities] ?? (await activitiesOf(plan, { configuration }, host));
      const base = baseOptions(connection, target.namespace, plan, hostName, options);
      const own = plan.workflows && source && workflowOptions(source, configuration.workerVersioning);
      workers.push(await Worker.create({ ...base, ...own, activities, ...interceptedBy(directory, logger, traces) }));
    }
    undo.push(await startHealth(configuration.health?.listen, workers, client));
    await poll(workers, options.signal, () => {
      if (source && configuration.workerVersioning) undo.push(startTakeOver(client, source, logger));
      if (host) undo.push(startJanitor(host, client, logger));
      warmUp(roles, configuration, logger);
      if (listen !== undefined) undo.push(...measures(roles, { host, client, target }, logger));
      notices.info(
        {
          event: WORKER_READY,
          queues: plans.map((plan) => plan.taskQueue),
          temporal: target.address,
          metrics: listen && `http://${listen}/metrics`,
          pid: process.pid,
        },
        'the worker is polling its task queues',
      );
    });
    notices.info({ event: WORKER_STOPPED }, 'the worker has stopped');
  } finally {
    await undoAll(undo, logger);
  }
}

/** What the roles of a worker measure until each is undone. */
function measures(
  roles: readonly Role[],
  {
    host,
    client,
    target,
  }: { host: HostContext | undefined; client: Client; target: ReturnType<typeof temporalTarget> },
  logger: Logger,
): (() => void)[] {
  return [
    measureCredentials(credentialEnds(target.connectionOptions), logger),
    ...(host ? [measureHost(host, logger)] : []),
    ...(roles.includes('control') ? [measureReleases(client, logger)] : []),
  ];
}

async function failLeftAttempts(
  client: Client,
  directories: readonly (string | undefined)[],
  logger: Logger,
): Promise<void> {
  for (const directory of directories) {
    if (directory === undefined) continue;
    for (const attempt of await failAbandonedAttempts(client, directory)) {
      logger.info({ event: 'attempt-left-behind', ...attempt }, 'found an attempt of an earlier worker');
    }
  }
}

async function undoAll(undo: (() => unknown)[], logger: Logger): Promise<void> {
  for (const step of undo.reverse()) {
    try {
      await step();
    } catch (error) {
      // The reason for the end is thrown; this must not hide it.
      logger.debug({ error }, 'cleaning up after the worker failed');
    }
  }
}

/** Runs all workers. When one ends, it stops the others. */
async function poll(workers: readonly Worker[], signal: AbortSignal | undefined, ready: () => void): Promise<void> {
  const stop = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = workers.map((worker) => worker.run().finally(stop));
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  ready();
  const ends = await Promise.allSettled(runs);
  signal?.removeEventListener('abort', stop);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** Answers for the workers' health, if an address is given. Returns the function that stops it. */
async function startHealth(
  listen: string | undefined,
  workers: readonly Worker[],
  client: Client,
): Promise<() => unknown> {
  if (listen === undefined) return () => undefined;
  const { close } = await offerHealth(listen, () => notReady(workers, client));
  return close;
}

/** Why this process does no work now; null when it polls and Temporal answers. */
async function notReady(workers: readonly Worker[], { connection }: Client): Promise<string | null> {
  const idle = workers.find((worker) => worker.getState() !== 'RUNNING');
  if (idle) return `it does not poll ${idle.options.taskQueue}: ${idle.getState().toLowerCase()}`;
  try {
    await connection.withDeadline(Date.now() + READY_WITHIN, () => connection.workflowService.getSystemInfo({}));
    return null;
  } catch (error) {
    return `Temporal does not answer: ${(error as Error).message}`;
  }
}

type Configured = Pick<HostContext, 'configuration'>;

function activitiesOf(plan: QueuePlan, place: Configured, host: HostContext | undefined): Promise<object> {
  const { activities: queue } = plan;
  if (queue === 'control' || queue === 'sign') return offeredOn(queue, place);
  if (!host) throw new Error('a build worker needs a host');
  return offeredOn(queue, host);
}

function baseOptions(
  connection: NativeConnection,
  namespace: string,
  plan: QueuePlan,
  hostName: string,
  options: RunWorkerOptions,
): WorkerOptions {
  return {
    connection,
    namespace,
    taskQueue: plan.taskQueue,
    identity: workerIdentity(plan.role, hostName, version()),
    maxConcurrentActivityTaskExecutions: plan.slots,
    maxConcurrentActivityTaskPolls: Math.min(plan.slots, 2),
    maxHeartbeatThrottleInterval: options.heartbeatThrottle ?? HEARTBEAT_THROTTLE,
    shutdownGraceTime: plan.grace,
    shutdownForceTime: SHUTDOWN_FORCE,
  };
}

function workflowOptions(source: WorkflowSource, versioned: boolean): Partial<WorkerOptions> {
  return {
    workflowBundle: source.bundle,
    ...versioningOptions(source, versioned),
    maxCachedWorkflows: CACHED_WORKFLOWS,
    stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
  };
}
