/** What the pending activities of a workflow say of themselves, and for whom they wait that no worker has taken. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { Payload, PayloadConverter } from '@temporalio/common';
import { Progress } from '../../../model/stage/progress.ts';
import type { PendingActivity } from '../../view/activities.ts';
import { waitingText, type Offered } from './waiting.ts';
import { pollers, type Poller } from '../control.ts';
import type { Temporal } from '../temporal.ts';

/** Milliseconds without an activity's being taken before anybody is asked why. */
const PATIENCE = 5_000;
/** Milliseconds for which an answer about a task queue stands. */
const KEPT = 5_000;

/** Asks who could take an activity. Each task queue is asked at most every few seconds. */
export class Waits {
  private readonly temporal: Temporal;
  private readonly known = new Map<string, { at: number; pollers: Promise<Poller[]> }>();

  constructor(temporal: Temporal) {
    this.temporal = temporal;
  }

  /** For whom the activity waits, in words; null in its first seconds. */
  async reason(offered: Offered): Promise<string | null> {
    const now = Date.now();
    if (offered.paused) return waitingText(offered, [], now);
    if (now - offered.since < PATIENCE) return null;
    const before = this.known.get(offered.queue);
    const answer =
      before && now - before.at < KEPT
        ? before
        : { at: now, pollers: pollers(this.temporal, offered.queue, 'activities') };
    this.known.set(offered.queue, answer);
    return waitingText(offered, await answer.pollers, now);
  }
}

/**
 * PENDING_ACTIVITY_STATE_STARTED, and …_CANCEL_REQUESTED, which a worker has too (temporal api
 * `enums/v1/workflow.proto`).
 */
const WITH_A_WORKER = [2, 3];

/** The pending activities of a branch of a release. */
export async function pendingActivities(
  description: WorkflowExecutionDescription,
  branch: string,
  { converter, waits }: { converter: PayloadConverter; waits: Waits },
): Promise<PendingActivity[]> {
  return Promise.all(
    (description.raw.pendingActivities ?? []).map(async (activity) => {
      const started = WITH_A_WORKER.includes(activity.state ?? 0);
      const lastFailure = activity.lastFailure?.message || null;
      const queue = activity.activityOptions?.taskQueue?.name;
      // After a failure that is the reason to wait.
      const isOffered = !started && !lastFailure && queue;
      return {
        branch,
        type: activity.activityType?.name ?? '',
        attempt: activity.attempt ?? 1,
        started,
        progress: progressOf(activity.heartbeatDetails?.payloads?.[0], converter),
        lastFailure,
        waitsFor: isOffered
          ? await waits.reason({
              queue,
              since: Number(activity.scheduledTime?.seconds ?? 0) * 1_000,
              paused: activity.paused ?? false,
            })
          : null,
      };
    }),
  );
}

/** Heartbeat details come from a worker. What does not parse as progress is not shown. */
function progressOf(payload: Payload | undefined, converter: PayloadConverter): Progress | null {
  if (!payload) return null;
  try {
    const parsed = Progress.safeParse(converter.fromPayload(payload));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
