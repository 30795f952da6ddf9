/** A branch of a release: its work until it succeeds, and the wait for a person in between. */
import { CancellationScope, CancelledFailure, condition } from '@temporalio/workflow';
import type { Failure } from '../../model/failure/failure.ts';
import { isOfBranch } from '../../model/release/stage-table.ts';
import type { StageStatus } from '../../model/stage/stage.ts';
import { dispositionOf, ReleaseFailed, StageFailed } from '../failure.ts';
import type { ShownRelease } from './show.ts';

/** How the work of a branch came to its end: `outdated` when another plan is to be followed first. */
export type BranchEnd = 'done' | 'outdated';

/**
 * Does the work of a branch until it succeeds; a failure that a person can fix holds it meanwhile.
 *
 * @param isOutdated tells that another plan is to be followed: asked before a hold, and after it
 * @throws ReleaseFailed when the release must end.
 */
export async function untilDone(
  release: ShownRelease,
  branch: string,
  work: () => Promise<BranchEnd>,
  isOutdated: () => boolean,
): Promise<BranchEnd> {
  const { active } = release.state;
  active.add(branch);
  try {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof StageFailed)) throw error;
        // What is ended by a cancellation may look like a failure of its own.
        if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
        if (!isOutdated()) await hold(release, branch, error.failure);
        if (isOutdated()) return 'outdated';
      }
    }
  } finally {
    active.delete(branch);
  }
}

/** Waits for `flightline retry`, or a person's word. */
async function hold(release: ShownRelease, branch: string, failure: Failure): Promise<void> {
  const { state } = release;
  const { table, holds, resumes } = state;
  const { onFailure, timing } = state.request;
  // A claim that failed has no row of its own: its stage stands for it.
  const stopped = table.rows
    .filter((row) => isOfBranch(row, branch))
    .filter((row) => row.status === 'failed' || (row.status === 'waiting' && row.name === failure.stage))
    .map(({ name, subject }) => ({ name, subject }));
  const mark = (status: StageStatus) => {
    for (const { name, subject } of stopped) table.update(name, subject, { status, at: Date.now() });
  };
  mark('failed');
  // To wait for approval is no failure.
  const waits = failure.kind === 'approval-needed';
  if (dispositionOf(failure) === 'fail' || (onFailure === 'fail' && !waits)) throw new ReleaseFailed(failure);
  mark('held');
  holds.set(branch, failure);
  release.showHold(branch, failure);
  try {
    const summary = `${branch} is held: ${failure.kind}`;
    if (await condition(() => state.resumes !== resumes, timing.holdFor, { summary })) return;
  } finally {
    holds.delete(branch);
  }
  mark('failed');
  throw new ReleaseFailed(failure);
}
