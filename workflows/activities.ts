/**
 * How workflows reach activities: a row of options for each kind of work. Every activity waits for its own end when
 * it is cancelled, and has a summary.
 */
import type { ActivityOptions } from '@temporalio/common';
import { proxyActivities } from '@temporalio/workflow';
import type { ActivitiesOn } from '../model/contract/activities.ts';
import type { FailureKind } from '../model/failure/failures.ts';
import { CONTROL_QUEUE, hostQueue, SIGN_QUEUE, type HostWork } from '../model/contract/queue.ts';
import { attemptsWithin, DEFAULT_TIMING, type Timing } from '../model/base/timing.ts';

/** How long an activity may take, and how often it is tried. Times in milliseconds. */
interface Limits {
  queue: string;
  startToClose: number;
  /** Until a worker takes it. Unlimited by default. */
  scheduleToStart?: number;
  /** All tries together. Unlimited by default. */
  scheduleToClose?: number;
  /** Longest time without a heartbeat. Default `timing.heartbeatTimeout`; null for an activity that sends none. */
  heartbeat?: number | null;
  retry?: ActivityOptions['retry'];
}

/**
 * Retrying these on the same host cannot help. After a heartbeat timeout the workflow probes the host; without a lease
 * it claims a host again.
 */
const LEFT_TO_THE_WORKFLOW: string[] = ['TemporalTimeout:Heartbeat', 'no-slot' satisfies FailureKind];

/** How long a webhook is tried (ms), and the longest pause between two tries. */
const NOTIFY_FOR = 24 * 60 * 60_000;
const NOTIFY_PAUSE = 10 * 60_000;

/** One turn of a prune (ms): a survey of thousands of tags, and a minute of removals. */
const PRUNE_START_TO_CLOSE = 60 * 60_000;

const PRESETS = {
  /** Questions to a control worker. */
  control: (t: Timing): Limits => ({
    queue: CONTROL_QUEUE,
    startToClose: t.shortStartToClose,
    scheduleToClose: t.retryFor,
    heartbeat: defaultPace(t),
  }),
  /** Signatures, verifications, tags, records, and the proof that signing works. */
  sign: (t: Timing): Limits => ({
    queue: SIGN_QUEUE,
    startToClose: t.shortStartToClose,
    scheduleToClose: t.retryFor,
  }),
  /** A copy between repositories by a sign worker. It may have to transfer whole disks. */
  copy: (t: Timing): Limits => ({
    queue: SIGN_QUEUE,
    startToClose: t.transferStartToClose,
    scheduleToClose: t.transferStartToClose + t.retryFor,
  }),
  /** A dry run. Somebody waits for it, so it has two tries, and fails if no worker polls the queue. */
  dryRun: (t: Timing, queue: string): Limits => ({
    queue,
    scheduleToStart: t.probeScheduleToStart,
    startToClose: t.shortStartToClose,
    heartbeat: defaultPace(t),
    retry: { maximumAttempts: 2 },
  }),
  /** The long stages on a host. */
  stage: (t: Timing, at: { host: string; work: HostWork; startToClose: number; scheduleToStart: number }): Limits => ({
    queue: hostQueue(at.host, at.work),
    scheduleToStart: at.scheduleToStart,
    startToClose: at.startToClose,
    scheduleToClose: at.scheduleToStart + at.startToClose + t.retryFor,
    retry: { maximumAttempts: attemptsWithin(t), nonRetryableErrorTypes: LEFT_TO_THE_WORKFLOW },
  }),
  /** A claim on one queue. It measures the free space, so it takes longer than a probe. */
  claim: (t: Timing, at: { queue: string; bound: number | null }): Limits => ({
    queue: at.queue,
    startToClose: 3 * t.probeStartToClose,
    scheduleToClose: at.bound ?? undefined,
    retry: { ...everyNow(t.claimRetry), backoffCoefficient: 1 },
  }),
  /** Whether a host lives: one try. */
  probe: (t: Timing, host: string): Limits => ({
    queue: hostQueue(host, 'short'),
    scheduleToStart: t.probeScheduleToStart,
    startToClose: t.probeStartToClose,
    heartbeat: null,
    retry: { maximumAttempts: 1 },
  }),
  /** A dead host must not hold up the end of a release. */
  end: (t: Timing, host: string): Limits => ({
    queue: hostQueue(host, 'short'),
    startToClose: t.cleanUpFor,
    scheduleToClose: t.cleanUpFor,
  }),
  /** A host that is away, or a registry that takes no logs, must not hold up the end of a release. */
  logs: (t: Timing, host: string): Limits => ({
    queue: hostQueue(host, 'short'),
    scheduleToStart: t.probeScheduleToStart,
    startToClose: t.shortStartToClose,
    scheduleToClose: t.probeScheduleToStart + t.shortStartToClose,
    retry: { maximumAttempts: 3 },
  }),
  /** What a host does: one try, soon. */
  status: (_: Pick<Timing, never>, at: { host: string; within: number }): Limits => ({
    queue: hostQueue(at.host, 'short'),
    scheduleToStart: at.within,
    startToClose: at.within,
    heartbeat: null,
    retry: { maximumAttempts: 1 },
  }),
  /** A page of a log. Somebody waits for it. */
  page: (t: Timing, host: string): Limits => ({
    queue: hostQueue(host, 'short'),
    scheduleToStart: t.probeScheduleToStart,
    startToClose: t.probeStartToClose,
    scheduleToClose: t.probeScheduleToStart + t.probeStartToClose,
    heartbeat: null,
  }),
  /** Telling a webhook. */
  notify: (t: Timing): Limits => ({
    queue: CONTROL_QUEUE,
    startToClose: 60_000,
    scheduleToClose: NOTIFY_FOR,
    heartbeat: defaultPace(t),
    retry: { maximumInterval: NOTIFY_PAUSE },
  }),
  /** A prune. It may wait for the sign worker's slot, and reads a lot. */
  prune: (t: Timing): Limits => ({
    queue: SIGN_QUEUE,
    startToClose: PRUNE_START_TO_CLOSE,
    scheduleToClose: PRUNE_START_TO_CLOSE + t.retryFor,
    heartbeat: defaultPace(t),
  }),
};
type Presets = typeof PRESETS;

/** The queue of each preset's workers, which says what may be asked of them. */
interface Queues {
  control: 'control';
  sign: 'sign';
  copy: 'sign';
  dryRun: 'control' | 'sign';
  stage: 'build' | 'disk' | 'transfer';
  claim: 'short';
  probe: 'short';
  end: 'short';
  logs: 'short';
  status: 'short';
  page: 'short';
  notify: 'control';
  prune: 'sign';
}
type Activities<Preset extends keyof Presets> = ActivitiesOn<Queues[Preset]>;

/** The activities of a preset, with its options. `place` says where, for the presets that must be told. */
export function activities<Preset extends keyof Presets>(
  preset: Preset,
  timing: Timing,
  summary: string,
  ...place: Parameters<Presets[Preset]> extends [unknown, infer Place] ? [Place] : []
): Activities<Preset> {
  const limits = (PRESETS[preset] as (timing: Timing, ...place: unknown[]) => Limits)(timing, ...place);
  // The SDK infers the same type for a concrete interface, but not for a generic one.
  return proxyActivities<Activities<Preset>>(optionsOf(limits, timing, summary)) as unknown as Activities<Preset>;
}

function optionsOf(limits: Limits, timing: Timing, summary: string): ActivityOptions {
  const { queue, startToClose, scheduleToStart, scheduleToClose, heartbeat = timing.heartbeatTimeout, retry } = limits;
  return {
    // The SDK's default is TRY_CANCEL: the workflow would end while the activity still runs.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    summary,
    taskQueue: queue,
    startToCloseTimeout: startToClose,
    scheduleToStartTimeout: scheduleToStart,
    scheduleToCloseTimeout: scheduleToClose,
    heartbeatTimeout: heartbeat ?? undefined,
    retry: {
      initialInterval: timing.retryInitial,
      maximumInterval: timing.retryMaximum,
      backoffCoefficient: 2,
      ...retry,
    },
  };
}

/**
 * About every so many ms, another time for each claim: two that wait in step could each ask, for ever, the host that
 * has promised its slot to the other.
 */
function everyNow(pause: number): { initialInterval: number; maximumInterval: number } {
  const own = Math.round(pause * (0.8 + 0.4 * Math.random()));
  return { initialInterval: own, maximumInterval: own };
}

/** The heartbeat timeout of activities whose input has its timing inside a request. */
function defaultPace(timing: Timing): number {
  return Math.max(timing.heartbeatTimeout, DEFAULT_TIMING.heartbeatTimeout);
}
