/** A branch of a release: does its work until it succeeds, and waits for a person in between. */
import { CancellationScope, CancelledFailure, condition } from '@temporalio/workflow';
import type { Failure } from '../../model/failure/failure.ts';
import { isOfBranch } from '../../model/release/stage-table.ts';
import type { StageStatus } from '../../model/stage/stage.ts';
import { dispositionOf, ReleaseFailed, StageFailed } from '../failure.ts';
import type { ShownRelease } from './show.ts';

/** How the work of a branch ended: `outdated` when the plan has changed. */
export type BranchEnd = 'done' | 'outdated';

/**
 * Does the work of a branch until it succeeds. A failure that a person can fix holds the branch.
 *
 * @param isOutdated whether the plan has changed; asked before and after a hold
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
        // Work that a cancellation ended may look like a failure.
        if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
        if (!isOutdated()) await hold(release, branch, error.failure);
        if (isOutdated()) return 'outdated';
      }
    }
  } finally {
    active.delete(branch);
  }
}

/** Waits for `flightline retry`, or for approval. */
async function hold(release: ShownRelease, branch: string, failure: Failure): Promise<void> {
  const { state } = release;
  const { table, holds, resumes } = state;
  const { onFailure, timing } = state.request;
  // A failed claim has no row of its own, so the row of its stage shows it.
  const stopped = table.rows
    .filter((row) => isOfBranch(row, branch))
    .filter((row) => row.status === 'failed' || (row.status === 'waiting' && row.name === failure.stage))
    .map(({ name, subject }) => ({ name, subject }));
  const mark = (status: StageStatus) => {
    for (const { name, subject } of stopped) table.update(name, subject, { status, at: Date.now() });
  };
  mark('failed');
  // Waiting for approval is not a failure.
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
