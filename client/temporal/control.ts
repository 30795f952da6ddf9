/** What control workers are asked: whether one is there, and questions that it answers. */
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { ASK_UPDATE, QUESTIONS_WORKFLOW, type Question } from '../../model/contract/workflows.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { remedyText } from '../../model/failure/remedy-text.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { pause } from '../terminal/pause.ts';
import { REQUEST_TIMEOUT, type Temporal } from './temporal.ts';
import { failureOfError } from './failure.ts';

/** Milliseconds in which a control worker must have answered. */
const CONTROL_TIMEOUT = 10_000;
/** Milliseconds between two looks for one. */
const CONTROL_POLL = 500;
/** Milliseconds after which a run with this command's questions ends in any case. */
const RUN_TIMEOUT = 24 * 3_600_000;

/** The workflow that answers what this command asks: one for all that it does not ask at the same time. */
const OWN_QUESTIONS = `${QUESTIONS_WORKFLOW}/${randomUUID()}`;
/** Questions at a time in a workflow: a server takes ten updates of one (history.maxInFlightUpdates). */
const MAX_UNDER_WAY = 8;
/** How many are under way in each workflow of this command. */
const underWay: number[] = [];

async function withOwnWorkflow<Answer>(ask: (workflowId: string) => Promise<Answer>): Promise<Answer> {
  let place = underWay.findIndex((count) => count < MAX_UNDER_WAY);
  if (place < 0) place = underWay.push(0) - 1;
  underWay[place]! += 1;
  try {
    return await ask(place === 0 ? OWN_QUESTIONS : `${OWN_QUESTIONS}/${place}`);
  } finally {
    underWay[place]! -= 1;
  }
}

/**
 * Asks, and checks the answer.
 *
 * @param timeout milliseconds for the whole question
 * @param summary what nobody said, where nobody answers; the first one stands for all in the Web UI
 * @throws UserError of the failure's kind when there is no such answer, `no-control-worker` when there was none in
 *   time, and `version-mismatch` for an answer of another form
 */
export async function askControl<Schema extends z.ZodType>(
  temporal: Temporal,
  { summary, ...question }: Question & { summary: string },
  schema: Schema,
  timeout: number,
): Promise<z.output<Schema>> {
  const { WithStartWorkflowOperation } = await import('./sdk.ts');
  let answer: unknown;
  try {
    answer = await withOwnWorkflow((workflowId) =>
      temporal.within(timeout, () =>
        temporal.client.workflow.executeUpdateWithStart(ASK_UPDATE, {
          args: [question],
          startWorkflowOperation: new WithStartWorkflowOperation(QUESTIONS_WORKFLOW, {
            workflowId,
            taskQueue: CONTROL_QUEUE,
            workflowIdConflictPolicy: 'USE_EXISTING',
            workflowRunTimeout: RUN_TIMEOUT,
            args: [],
            staticSummary: summary.slice(0, 200),
          }),
        }),
      ),
    );
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowUpdateRPCTimeoutOrCancelledError') {
      throw noControlWorker(temporal, `nobody said ${summary}`, timeout);
    }
    if (!(error instanceof Error) || error.name !== 'WorkflowUpdateFailedError') throw error;
    const failure = failureOfError(error);
    const { kind, message } = failure;
    throw new UserError(kind, message, remedyText(failure, 'request'), EXIT.failed, error);
  }
  return parseAnswer(schema, answer, question.about);
}

/** Checks an answer. @throws UserError `version-mismatch` */
export function parseAnswer<Schema extends z.ZodType>(schema: Schema, answer: unknown, who: string): z.output<Schema> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UserError(
    'version-mismatch',
    `${who} was answered in a form that this version does not know: ${issue!.path.join('.')} ${issue!.message}`,
    'use the same version of flightline for the command and the control worker',
    EXIT.failed,
  );
}

/**
 * Waits until a control worker polls its queue, so that nothing is started that no worker will run.
 *
 * @throws UserError `no-control-worker` (exit code 3)
 */
export async function awaitControlWorker(temporal: Temporal, signal?: AbortSignal): Promise<void> {
  const deadline = Date.now() + CONTROL_TIMEOUT;
  for (;;) {
    if ((await pollers(temporal, CONTROL_QUEUE, 'workflows')).length > 0) return;
    if (Date.now() >= deadline) throw noControlWorker(temporal, 'nothing was started');
    await pause(CONTROL_POLL, signal);
  }
}

/** The error for a control worker that is not there or does not answer. */
export function noControlWorker(temporal: Temporal, consequence: string, timeout = CONTROL_TIMEOUT): UserError {
  return new UserError(
    'no-control-worker',
    `no control worker answered within ${timeout / 1000} s ` +
      `(task queue ${CONTROL_QUEUE}, namespace ${temporal.namespace} at ${temporal.address}); ${consequence}`,
    'start one: `flightline worker --role control`, or the whole stack: `flightline up`',
    EXIT.unavailable,
  );
}

/** `TaskQueueType` of Temporal's API (enums/v1/task_queue.proto). */
const QUEUE_TYPES = { workflows: 1, activities: 2 } as const;

/** A worker that asked for work of a task queue within the server's last minutes. */
export interface Poller {
  identity: string;
  /** ISO 8601; a worker asks at least once a minute. Null when the server does not tell. */
  lastSeen: string | null;
}

/** The workers that asked for work of a task queue within the server's last minutes. */
export async function pollers(temporal: Temporal, queue: string, work: keyof typeof QUEUE_TYPES): Promise<Poller[]> {
  const answer = await temporal.within(REQUEST_TIMEOUT, () =>
    temporal.client.workflowService.describeTaskQueue({
      namespace: temporal.namespace,
      taskQueue: { name: queue },
      taskQueueType: QUEUE_TYPES[work],
    }),
  );
  return (answer.pollers ?? []).map(({ identity, lastAccessTime }) => ({
    identity: identity ?? '',
    lastSeen: lastAccessTime ? new Date(Number(lastAccessTime.seconds ?? 0) * 1_000).toISOString() : null,
  }));
}
