/** Runs a workflow that reads or changes a repository, and reads its report. */
import type { z } from 'zod';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { requestFailed, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { awaitControlWorker } from './control.ts';
import { failureOfError } from './failure.ts';
import { REQUEST_TIMEOUT, workflowPage, type Temporal } from './temporal.ts';

/** A workflow of which one runs at a time for each id. */
interface Asked<Schema extends z.ZodType> {
  type: string;
  id: string;
  request: { repository: string };
  summary: string;
  /** The query that answers with the report. */
  query: string;
  schema: Schema;
  /** Why a second one is refused: `quay.io/acme/edge is being pruned already`. */
  running: string;
}

/**
 * Starts the workflow, waits for its end and asks for its report.
 *
 * @throws UserError `already-running`, or of the failure that ended it
 */
export async function workflowReport<Schema extends z.ZodType>(
  temporal: Temporal,
  { type, id, request, summary, query, schema, running }: Asked<Schema>,
  output: Output,
): Promise<z.output<Schema>> {
  await awaitControlWorker(temporal);
  const { workflow } = temporal.client;
  const handle = await temporal
    .within(REQUEST_TIMEOUT, () =>
      workflow.start(type, {
        taskQueue: CONTROL_QUEUE,
        workflowId: id,
        args: [request],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
        staticSummary: summary,
      }),
    )
    .catch((error: unknown) => {
      if (!(error instanceof Error) || error.name !== 'WorkflowExecutionAlreadyStartedError') throw error;
      const remedy = 'wait for its end; the Temporal Web UI shows it';
      throw new UserError('already-running', running, remedy, EXIT.alreadyRunning);
    });
  const page = workflowPage(temporal.ui, temporal.namespace, handle.workflowId, handle.firstExecutionRunId);
  output.note(`looking at ${request.repository}${page ? `: ${page}` : ''}`);
  try {
    await handle.result();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'WorkflowFailedError') throw error;
    throw requestFailed(failureOfError(error), request.repository);
  }
  return schema.parse(await handle.query(query));
}
