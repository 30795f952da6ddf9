/** Follows a promotion to its end, or until it waits for approval. */
import type { Promotion } from '../../model/tags/promotion.ts';
import type { Temporal } from '../temporal/temporal.ts';
import { readPromotion } from '../temporal/promotion.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { Interrupted, pause } from '../terminal/pause.ts';
import { renderPromotion } from './promotion-text.ts';
import { Patience } from './patience.ts';

/** Milliseconds between two looks. */
const LOOK = 500;

/**
 * Follows a promotion, a line for each step. Temporal may go away for any time.
 *
 * @throws Interrupted when the signal is aborted; the promotion goes on.
 */
export async function followPromotion(
  temporal: Temporal,
  { id, runId }: { id: string; runId: string },
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
      if (state && state.status !== 'running') return state;
      await pause(LOOK, signal);
    }
  } catch (error) {
    if (error instanceof Interrupted) throw new Interrupted(`detached: ${id} goes on`, `flightline watch ${id}`);
    throw error;
  }
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
