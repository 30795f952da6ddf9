/** Webhooks: each delivery is a workflow, which its release starts and does not wait for. */
import { CancellationScope, ParentClosePolicy, startChild, workflowInfo } from '@temporalio/workflow';
import { missingInWords } from '../model/release/approval.ts';
import { eventsOf, NOTIFICATION_WORKFLOW } from '../model/release/notification.ts';
import { NotifyInput, type NotifyResult } from '../model/contract/control.ts';
import { updateInWords } from '../model/oci/update-cost.ts';
import type { ReleaseRecord } from '../model/release/record.ts';
import type { ReleaseRequest } from '../model/spec/request.ts';
import type { ReleaseStatus } from '../model/stage/stage.ts';
import { parseInput } from './failure.ts';
import { activities } from './activities.ts';
import { placeOf } from '../model/failure/remedy.ts';
import { remedyText } from '../model/failure/remedy-text.ts';

/** Delivers one notification. */
export async function notification(input: NotifyInput): Promise<NotifyResult> {
  const given = parseInput(NotifyInput, input);
  const { webhook, timing } = given;
  return activities('notify', timing, `tell ${webhook}`).notify(given);
}

/** Longest message in a notification (characters). */
const MAX_MESSAGE = 1_000;

/** Watches the status of a release, and starts the deliveries. */
export class Notifications {
  private status: ReleaseStatus = 'running';
  private wasHeld = false;
  private count = 0;
  private readonly starts: Promise<unknown>[] = [];

  /** Called with the record at every change. Starts nothing for a release without `notify`. */
  noticed(record: ReleaseRecord, { notify = [], name, repository, timing }: ReleaseRequest): void {
    const events = eventsOf(this.status, record.status, this.wasHeld);
    this.status = record.status;
    this.wasHeld ||= record.status === 'held';
    for (const event of events) {
      for (const { webhook } of notify.filter(({ on }) => on.includes(event))) {
        this.count += 1;
        const id = `notify/${record.release}/${record.runId}/${this.count}`;
        const { release, runId, status, failure, image } = record;
        this.starts.push(
          start({
            release,
            runId,
            webhook,
            repository,
            timing,
            notification: {
              schemaVersion: 1,
              id,
              event,
              at: new Date().toISOString(),
              name,
              release,
              runId,
              reference: image.reference,
              digest: image.digest,
              status,
              ...(image.updates && {
                updates: image.updates.map((cost) => ({ ...cost, text: updateInWords(cost) })),
              }),
              ...(image.missing && { missing: missingInWords(image.missing) }),
              stage: failure?.stage ?? null,
              failure: failure && {
                kind: failure.kind,
                message: failure.message.slice(-MAX_MESSAGE),
                remedy: remedyText(failure, placeOf(status), image.reference),
              },
            },
          }),
        );
      }
    }
  }

  /** Resolves when every delivery has been started. Never rejects, and waits for no webhook. */
  async handedOver(): Promise<void> {
    await Promise.all(this.starts);
  }
}

/**
 * Starts a delivery even for a release that is cancelled or ending. A delivery that cannot start has no effect on the
 * release.
 */
async function start(input: NotifyInput): Promise<void> {
  try {
    await CancellationScope.nonCancellable(() =>
      startChild(NOTIFICATION_WORKFLOW, {
        workflowId: input.notification.id,
        args: [input],
        taskQueue: workflowInfo().taskQueue,
        parentClosePolicy: ParentClosePolicy.ABANDON,
        staticSummary: `${input.notification.event}: ${input.notification.reference}`.slice(0, 200),
      }),
    );
  } catch {
    // For example the id is taken: the delivery is under way.
  }
}
