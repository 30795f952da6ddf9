/** What a command that followed a release says at its end, and what it exits with. */
import type { ReleaseRecord } from '../../model/release/record.ts';
import { workflowPage, type Temporal } from '../temporal/temporal.ts';
import { exitCodeOf } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { Interrupted } from '../terminal/pause.ts';
import { renderSummary } from './summary.ts';

/** Prints the summary, or with `--json` the record. */
export function printEnding(
  record: ReleaseRecord,
  temporal: Pick<Temporal, 'ui' | 'namespace'>,
  output: Output,
): number {
  const page = workflowPage(temporal.ui, temporal.namespace, record.release, record.runId);
  const { colour, columns } = output;
  const summary = renderSummary(record, { colour: colour.result, ui: temporal.ui, page, columns });
  output.result(['', ...summary].join('\n'));
  output.document(record);
  return exitCodeOf(record.status);
}

/** Runs work that follows a release; Ctrl-C leaves the release running and says how to go on. */
export async function detachable<T>(reference: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(
      `detached: the release of ${reference} goes on`,
      `watch it: flightline watch ${reference}   end it: flightline cancel ${reference}`,
    );
  }
}
