/** What a person does about a failure, as data. */
import type { ReleaseStatus } from '../stage/stage.ts';

export const NEXT_STEPS = ['retry', 'retry with the spec', 'start again'] as const;

/** What a person does about a failure. */
export interface Remedy {
  /** In one line, without the next step. */
  action: string;
  /** The next step; null when there is none. */
  then: (typeof NEXT_STEPS)[number] | null;
}

/**
 * Where a failure is shown. It decides the next step, since only a held branch can be retried.
 *
 * - `request`: the workers did it for a command, such as `prune`, `rollback` or a dry run.
 * - `client`: the command did it itself, with its user's own logins.
 */
export const PLACES = ['held branch', 'ended release', 'promotion', 'request', 'client'] as const;
export type RemedyPlace = (typeof PLACES)[number];

/** Where the failure of a release is shown. */
export function placeOf(status: ReleaseStatus): RemedyPlace {
  return status === 'held' ? 'held branch' : 'ended release';
}
