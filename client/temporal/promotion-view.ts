/** Reads a promotion as it stands, and follows it to its end or until it waits for approval. */
import { Promotion, PROMOTION_QUERY, PROMOTION_WORKFLOW, PromotionFailure } from '../../model/tags/promotion.ts';
import { noControlWorker, REQUEST_TIMEOUT, type Temporal } from './connection.ts';
import { isNotFound, isUnavailable, isWorkerAway, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { Interrupted, pause } from '../terminal/pause.ts';
import { detailIn, failureOfError } from './release-view.ts';
import { renderPromotion } from '../view/promotion.ts';

/** Milliseconds between two looks. */
const LOOK = 500;

/**
 * A promotion as it stands now; the latest run unless one is named.
 *
 * @throws UserError `unknown-release` (exit code 2), `no-control-worker` (3).
 */
export async function readPromotion(temporal: Temporal, id: string, runId?: string): Promise<Promotion> {
  const handle = temporal.client.workflow.getHandle(id, runId, { followRuns: false });
  const within = <Result>(work: () => Promise<Result>) => temporal.within(REQUEST_TIMEOUT, work);
  try {
    const { status, type } = await within(() => handle.describe());
    if (type !== PROMOTION_WORKFLOW) throw unknown(temporal, id);
    const query = async () => Promotion.parse(await within(() => handle.query(PROMOTION_QUERY)));
    if (status.name === 'RUNNING') return await query();
    if (status.name === 'COMPLETED') return Promotion.parse(await within(() => handle.result()));
    if (status.name === 'CANCELLED') return { ...(await query()), status: 'cancelled' };
    const error = await within(() => handle.result()).catch((thrown: unknown) => thrown);
    return (
      detailIn(error, PromotionFailure)?.promotion ?? {
        ...(await query()),
        status: 'failed',
        failure: failureOfError(error),
      }
    );
  } catch (error) {
    if (isNotFound(error)) throw unknown(temporal, id);
    if (isWorkerAway(error) && !isUnavailable(error)) throw noControlWorker(temporal, `${id} waits for one`);
    throw error;
  }
}

function unknown(temporal: Temporal, id: string): UserError {
  return new UserError(
    'unknown-release',
    `there is no promotion ${id} in Temporal (namespace ${temporal.namespace} at ${temporal.address})`,
    'start one with `flightline promote SOURCE --to TARGET`; `flightline history` shows what a tag pointed at',
  );
}

/**
 * Follows a promotion, a line for each step. Temporal may go away for any time.
 *
 * @throws Interrupted when the signal is aborted; the promotion goes on.
 */
export async function followPromotion(
  temporal: Temporal,
  started: { id: string; runId: string },
  output: Output,
  signal: AbortSignal,
): Promise<Promotion> {
  let step = '';
  let away = false;
  for (;;) {
    if (signal.aborted) throw new Interrupted(`detached: ${started.id} goes on`, `flightline watch ${started.id}`);
    try {
      const state = await readPromotion(temporal, started.id, started.runId);
      if (away) output.note('Temporal answers again');
      away = false;
      if (state.step !== step) output.note(`  ${state.step}`);
      step = state.step;
      if (state.status !== 'running') return state;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      if (!away)
        output.note('Temporal does not answer; the promotion goes on without this command, which keeps trying');
      away = true;
    }
    await pause(LOOK, signal).catch((error: unknown) => {
      if (!(error instanceof Interrupted)) throw error;
    });
  }
}

/** Prints how it stands; answers the exit code (DESIGN §8). */
export function printPromotion(state: Promotion, output: Output): number {
  output.result(renderPromotion(state, output.colour.result).join('\n'));
  output.document(state);
  const codes: Record<Promotion['status'], number> = {
    running: EXIT.ok,
    held: EXIT.held,
    promoted: EXIT.ok,
    failed: EXIT.failed,
    cancelled: EXIT.cancelled,
  };
  return codes[state.status];
}
