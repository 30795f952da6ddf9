/**
 * A branch of a release: does its work until it succeeds, and waits for a person in between. The branch of a disk that
 * is taken over is here whole.
 */
import { CancellationScope, CancelledFailure, condition } from '@temporalio/workflow';
import type { Failure } from '../../model/failure/failure.ts';
import { isOfBranch } from '../../model/release/stage-table.ts';
import type { StageStatus } from '../../model/stage/stage.ts';
import { dispositionOf, ReleaseFailed, StageFailed } from '../failure.ts';
import { signAndVerify } from '../signing.ts';
import { withWayOut } from './missing/left-out.ts';
import type { Plan } from './plan.ts';
import { forgetReused } from './reused.ts';
import type { ShownRelease } from './show.ts';
import { isOutdated } from './state.ts';

/** How the work of a branch ended: `outdated` when the plan has changed. */
export type BranchEnd = 'done' | 'outdated';

/**
 * Does the work of a branch until it succeeds. A failure that a person can fix holds the branch.
 *
 * @param outdated whether the plan has changed; asked before and after a hold
 * @throws ReleaseFailed when the release must end.
 */
export async function untilDone(
  release: ShownRelease,
  branch: string,
  work: () => Promise<BranchEnd>,
  outdated: () => boolean,
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
        if (!outdated()) await hold(release, branch, error.failure, outdated);
        if (outdated()) return 'outdated';
      }
    }
  } finally {
    active.delete(branch);
  }
}

/** Signs and verifies the disks taken over from an earlier release. One that the registry lost is made anew. */
export async function verifyReused(release: ShownRelease, plan: Plan): Promise<BranchEnd> {
  const { state } = release;
  const { request } = plan;
  const { key, tag, timing } = request;
  for (const disk of state.reused.values()) {
    const { type, digest, verified } = disk;
    if (digest === null || verified) continue;
    const { repository } = request.disks.find((one) => one.type === type)!;
    const input = { ...state.identity, key, repository, digest, tags: [tag], timing };
    const work = async (): Promise<BranchEnd> => {
      try {
        await signAndVerify(release, type, input, disk);
      } catch (error) {
        if (!(error instanceof StageFailed) || error.failure.kind !== 'disk-vanished') throw error;
        forgetReused(state, [type]);
      }
      return 'done';
    };
    if ((await untilDone(release, type, work, () => isOutdated(state, plan))) === 'outdated') return 'outdated';
  }
  return 'done';
}

/** Waits for `flightline retry`, for approval, or until the branch is outdated. */
async function hold(release: ShownRelease, branch: string, failure: Failure, outdated: () => boolean): Promise<void> {
  const { state } = release;
  const { table, holds } = state;
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
  holds.set(branch, withWayOut(state, stopped, failure));
  release.showHold(branch, failure);
  try {
    const summary = `${branch} is held: ${failure.kind}`;
    const isOver = () => !holds.has(branch) || outdated();
    if (await condition(isOver, timing.holdFor, { summary })) return;
    // A changed spec came in time, and a slow registry must not make it late.
    await condition(() => !state.resolving);
    if (isOver()) return;
  } finally {
    holds.delete(branch);
  }
  mark('failed');
  throw new ReleaseFailed(failure);
}
