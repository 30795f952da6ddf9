/** The exit codes of every command, and which one a release's status means. */
import type { ReleaseStatus } from '../../model/stage/stage.ts';

export const EXIT = {
  /** Released, unchanged, started with `--detach`, read. */
  ok: 0,
  /** The release failed, or a check found something. */
  failed: 1,
  /** Usage, spec, unknown release. */
  usage: 2,
  /** No Temporal, or no control worker answered in time. */
  unavailable: 3,
  held: 4,
  cancelled: 5,
  alreadyRunning: 6,
} as const;

/** What a command that follows a release to its end exits with. `running` only happens with `--detach`. */
export function exitCodeOf(status: ReleaseStatus): number {
  const codes: Record<ReleaseStatus, number> = {
    running: EXIT.ok,
    released: EXIT.ok,
    unchanged: EXIT.ok,
    failed: EXIT.failed,
    held: EXIT.held,
    cancelled: EXIT.cancelled,
  };
  return codes[status];
}
