/** Activity options: one preset for each kind of work. Every one waits for a cancelled activity to end and carries a summary. */
import type { ActivityOptions } from '@temporalio/common';
import type { FailureKind } from '../model/release/failure.ts';
import { CONTROL_QUEUE, hostQueue, SIGN_QUEUE, type HostWork } from '../model/contract/queue.ts';
import { DEFAULT_TIMING, type Timing } from '../model/base/timing.ts';

/** The SDK's default is TRY_CANCEL: the workflow would end while the activity still runs. */
const waits = { cancellationType: 'WAIT_CANCELLATION_COMPLETED' } as const;

/**
 * What a host's activity cannot mend by another try on that host: after a heartbeat time-out the workflow asks the host whether it
 * lives (DESIGN §4), without a lease it claims a host again.
 */
const LEFT_TO_THE_WORKFLOW: string[] = ['TemporalTimeout:Heartbeat', 'no-slot' satisfies FailureKind];

function retryPolicy(timing: Timing): NonNullable<ActivityOptions['retry']> {
  return { initialInterval: timing.retryInitial, maximumInterval: timing.retryMaximum, backoffCoefficient: 2 };
}

/** How many tries fill `timing.retryFor` with the pauses between them. */
export function attemptsWithin(timing: Timing): number {
  let waited = 0;
  let attempts = 1;
  for (let pause = timing.retryInitial; waited < timing.retryFor; pause = Math.min(pause * 2, timing.retryMaximum)) {
    waited += pause;
    attempts += 1;
  }
  return attempts;
}

/** For resolve. */
export function controlOptions(timing: Timing, summary: string): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: CONTROL_QUEUE,
    startToCloseTimeout: timing.shortStartToClose,
    scheduleToCloseTimeout: timing.retryFor,
    // Its input holds the timing inside the request, out of reach of the activity's frame: that beats at the default pace.
    heartbeatTimeout: Math.max(timing.heartbeatTimeout, DEFAULT_TIMING.heartbeatTimeout),
    retry: retryPolicy(timing),
  };
}

/** For sign, verify, tag, record and the proof that signing works. */
export function signOptions(timing: Timing, summary: string): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: SIGN_QUEUE,
    startToCloseTimeout: timing.shortStartToClose,
    scheduleToCloseTimeout: timing.retryFor,
    heartbeatTimeout: timing.heartbeatTimeout,
    retry: retryPolicy(timing),
  };
}

/** For a copy between repositories by a sign worker, which may have to transfer whole disks. */
export function transferOptions(timing: Timing, summary: string): ActivityOptions {
  return {
    ...signOptions(timing, summary),
    startToCloseTimeout: timing.transferStartToClose,
    scheduleToCloseTimeout: timing.transferStartToClose + timing.retryFor,
  };
}

/** For a dry run, which somebody is waiting for: two tries, on a queue that must be polled. */
export function dryRunOptions(timing: Timing, queue: string, summary: string): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: queue,
    scheduleToStartTimeout: timing.probeScheduleToStart,
    startToCloseTimeout: timing.shortStartToClose,
    heartbeatTimeout: Math.max(timing.heartbeatTimeout, DEFAULT_TIMING.heartbeatTimeout),
    retry: { ...retryPolicy(timing), maximumAttempts: 2 },
  };
}

/** For the long stages on a host: build, push, disk-build, publish. `startToClose` and `scheduleToStart` in milliseconds. */
export function hostOptions(
  timing: Timing,
  place: { host: string; work: HostWork; startToClose: number; scheduleToStart: number },
  summary: string,
): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: hostQueue(place.host, place.work),
    scheduleToStartTimeout: place.scheduleToStart,
    startToCloseTimeout: place.startToClose,
    scheduleToCloseTimeout: place.scheduleToStart + place.startToClose + timing.retryFor,
    heartbeatTimeout: timing.heartbeatTimeout,
    retry: {
      ...retryPolicy(timing),
      maximumAttempts: attemptsWithin(timing),
      nonRetryableErrorTypes: LEFT_TO_THE_WORKFLOW,
    },
  };
}

/** For a claim on one queue. `bound` in milliseconds; null waits without limit. */
export function claimOptions(timing: Timing, queue: string, bound: number | null, summary: string): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: queue,
    // A claim also measures the free space: give it more time than a bare answer.
    startToCloseTimeout: 3 * timing.probeStartToClose,
    ...(bound === null ? {} : { scheduleToCloseTimeout: bound }),
    heartbeatTimeout: timing.heartbeatTimeout,
    retry: { initialInterval: timing.claimRetry, maximumInterval: timing.claimRetry, backoffCoefficient: 1 },
  };
}

/** For asking a host whether it lives: one try. */
export function probeOptions(timing: Timing, host: string, summary: string): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: hostQueue(host, 'short'),
    scheduleToStartTimeout: timing.probeScheduleToStart,
    startToCloseTimeout: timing.probeStartToClose,
    retry: { maximumAttempts: 1 },
  };
}

/** For cleaning up on a host: a dead one must not hold up the end of a release. */
export function cleanUpOptions(timing: Timing, host: string, summary: string): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: hostQueue(host, 'short'),
    startToCloseTimeout: timing.cleanUpFor,
    scheduleToCloseTimeout: timing.cleanUpFor,
    heartbeatTimeout: timing.heartbeatTimeout,
    retry: retryPolicy(timing),
  };
}

/** For sending logs: a host that is away, or a registry that takes none, must not hold up the end of a release. */
export function keepLogsOptions(timing: Timing, host: string, summary: string): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: hostQueue(host, 'short'),
    scheduleToStartTimeout: timing.probeScheduleToStart,
    startToCloseTimeout: timing.shortStartToClose,
    scheduleToCloseTimeout: timing.probeScheduleToStart + timing.shortStartToClose,
    heartbeatTimeout: timing.heartbeatTimeout,
    retry: { ...retryPolicy(timing), maximumAttempts: 3 },
  };
}

/** For asking a host what it does: one try, soon. `within` in milliseconds. */
export function hostStatusOptions(host: string, within: number, summary: string): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: hostQueue(host, 'short'),
    scheduleToStartTimeout: within,
    startToCloseTimeout: within,
    retry: { maximumAttempts: 1 },
  };
}

/** For a page of a log: someone is waiting for it. */
export function logOptions(timing: Timing, host: string, summary: string): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: hostQueue(host, 'short'),
    scheduleToStartTimeout: timing.probeScheduleToStart,
    startToCloseTimeout: timing.probeStartToClose,
    scheduleToCloseTimeout: timing.probeScheduleToStart + timing.probeStartToClose,
    retry: retryPolicy(timing),
  };
}

/** A webhook that does not answer is tried for so long (ms), with pauses that grow to the longest. */
const NOTIFY_FOR = 24 * 60 * 60_000;
const NOTIFY_PAUSE = 10 * 60_000;

/** For telling a webhook. */
export function notifyOptions(timing: Timing, summary: string): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: CONTROL_QUEUE,
    startToCloseTimeout: 60_000,
    scheduleToCloseTimeout: NOTIFY_FOR,
    heartbeatTimeout: Math.max(timing.heartbeatTimeout, DEFAULT_TIMING.heartbeatTimeout),
    retry: { ...retryPolicy(timing), maximumInterval: NOTIFY_PAUSE },
  };
}

/** One turn of a prune (ms): a survey of thousands of tags, and a minute of removals. */
const PRUNE_START_TO_CLOSE = 60 * 60_000;

/** For a prune, which may wait for the sign worker's slot and reads much. */
export function pruneOptions(timing: Timing, summary: string): ActivityOptions {
  return {
    ...waits,
    summary,
    taskQueue: SIGN_QUEUE,
    startToCloseTimeout: PRUNE_START_TO_CLOSE,
    scheduleToCloseTimeout: PRUNE_START_TO_CLOSE + timing.retryFor,
    heartbeatTimeout: Math.max(timing.heartbeatTimeout, DEFAULT_TIMING.heartbeatTimeout),
    retry: retryPolicy(timing),
  };
}
