/** The shape of a row of the table of failures. */
import type { RemedyPlace, Remedy } from './remedy.ts';

/**
 * What a release does about a failure:
 *
 * - `retry`: tried again in the same place with back-off, for `timing.retryFor`; then the branch is held.
 * - `elsewhere`: another host is claimed; with no other host the branch is held.
 * - `hold`: the branch waits for a person (`flightline retry`), with the remedy shown.
 * - `fail`: the release ends; nothing is there that a hold could keep, or the request itself is wrong.
 */
export type Disposition = 'retry' | 'elsewhere' | 'hold' | 'fail';

/** What a kind of failure means for a release, and what a person does about it. */
export interface FailureRow extends Remedy {
  disposition: Disposition;
  /** What has happened, in one line, for the table in docs/failures.md. */
  meaning: string;
  /** Another action, for places where the usual one does not fit. */
  at?: Partial<Record<RemedyPlace, string | Remedy>>;
}

type Row = (meaning: string, action: string, at?: FailureRow['at']) => FailureRow;

const row =
  (disposition: Disposition, then: Remedy['then']): Row =>
  (meaning, action, at) => ({ disposition, meaning, action, then, at });

export const failing = row('fail', 'start again');
export const holding = row('hold', 'retry');
export const holdingForSpec = row('hold', 'retry with the spec');
export const elsewhere = row('elsewhere', 'retry');
export const retrying = row('retry', 'retry');
