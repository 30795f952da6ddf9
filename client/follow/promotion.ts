/** Follows a promotion to its end, or until it waits for approval. */
import type { Promotion } from '../../model/tags/promotion.ts';
import { REQUEST_TIMEOUT, type Temporal } from '../temporal/temporal.ts';
import { UserError } from '../terminal/errors.ts';
import { readPromotion } from '../temporal/promotion.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { Interrupted, pause } from '../terminal/pause.ts';
import { renderPromotion } from './promotion-text.ts';
import { Patience } from './patience.ts';

/** Milliseconds between two looks. */
const LOOK = 500;

/**
 * Follows a promotion, a line for each step, until it ends; with `settled` also until it waits for approval.
 * Temporal may go away for any time.
 *
 * @throws Interrupted when the signal is aborted; the promotion goes on.
 */
export async function followPromotion(
  temporal: Temporal,
  { id, runId, until = 'settled' }: { id: string; runId: string; until?: 'settled' | 'final' },
  output: Output,
  signal: AbortSignal,
): Promise<Promotion> {
  const patience = new Patience('the promotion', (text) => output.note(text), signal);
  let step = '';
  try {
    for (;;) {
      const state = await patience.ask('Temporal', () => readPromotion(temporal, id, runId));
      if (state && state.step !== step) output.note(`  ${state.step}`);
      step = state?.step ?? step;
      if (state && state.status !== 'running' && (until === 'settled' || state.status !== 'held')) return state;
      await pause(LOOK, signal);
    }
  } catch (error) {
    if (error instanceof Interrupted) throw new Interrupted(`detached: ${id} goes on`, `flightline watch ${id}`);
    throw error;
  }
}

/**
 * Cancels a promotion, waits for its end, and answers the exit code.
 *
 * @throws UserError `unknown-release`, or `already-ended` when it ended otherwise.
 */
export async function cancelPromotion(
  temporal: Temporal,
  id: string,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const { runId, status, target } = await readPromotion(temporal, id);
  const isOpen = status === 'running' || status === 'held';
  if (isOpen) {
    output.note(`cancelling the promotion to ${target}`);
    await temporal.within(REQUEST_TIMEOUT, () => temporal.client.workflow.getHandle(id, runId).cancel());
  }
  const state = await followPromotion(temporal, { id, runId, until: 'final' }, output, signal);
  if (state.status !== 'cancelled' || !isOpen) {
    throw new UserError(
      'already-ended',
      `the promotion to ${target} had ended before it could be cancelled: ${state.status}`,
      `flightline status ${id} shows how`,
      EXIT.failed,
    );
  }
  printPromotion(state, output);
  return EXIT.ok;
}

/** Prints how it stands; answers the exit code. */
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
