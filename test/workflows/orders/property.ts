/** The property that holds in every order of events, and how many orders are tried. */
import fc from 'fast-check';
import { play } from './order.ts';
import { openRuntime } from './runtime.ts';

/** Longest order: what is told beyond it adds little. */
const MAX_LENGTH = 80;

/**
 * Tries orders: each release ends or is held, what is tagged is named by a record that is true, nobody's word goes
 * unanswered, and no workflow task fails. Prints the seed; a failure prints the shortest order that was found, and
 * what happened in it.
 *
 * @param bundle path of the workflow bundle
 */
export async function tryOrders(bundle: string, options: { runs: number; seed: number }): Promise<void> {
  console.log(`orders of events: ${options.runs} from seed ${options.seed}`);
  const runtime = await openRuntime(bundle);
  const number = fc.noBias(fc.nat(255));
  const numbers = fc.array(number, { maxLength: MAX_LENGTH, size: 'max' });
  try {
    await fc.assert(
      fc.asyncProperty(number, numbers, async (first, order) => {
        await play(runtime, first, order);
      }),
      { numRuns: options.runs, seed: options.seed },
    );
  } finally {
    await runtime.close();
  }
}
