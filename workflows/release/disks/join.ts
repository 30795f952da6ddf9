/**
 * The disks of an image of several platforms: once each platform's are published, an index of each type joins them,
 * which is signed and verified. Each type is a branch, which is held alone.
 */
import type { Architecture } from '../../../model/base/host.ts';
import type { RequestedDisk } from '../../../model/spec/request.ts';
import { mayGoBack, StageFailed } from '../../failure.ts';
import { activities } from '../../activities.ts';
import { runStage } from '../../run-stage.ts';
import { signAndVerify } from '../../signing.ts';
import { untilDone, type BranchEnd } from '../branch.ts';
import type { Plan } from '../plan.ts';
import { disksToMake, presentDisks, type JoinedDisk } from '../reused.ts';
import type { ShownRelease } from '../show.ts';
import { forgetJoined, isOutdated, type ReleaseState } from '../state.ts';

/** Joins what the builder runs have published. `outdated` when a platform's disk must be published again first. */
export async function joinDisks(release: ShownRelease, plan: Plan): Promise<BranchEnd> {
  const { platforms } = plan.request;
  if (!platforms) return 'done';
  for (const disk of disksToMake(release.state, plan.request)) {
    const work = () => joinDisk(release, plan, disk, platforms);
    const end = await untilDone(release, disk.type, work, () => isOutdated(release.state, plan));
    if (end === 'outdated') return 'outdated';
  }
  return 'done';
}

async function joinDisk(
  release: ShownRelease,
  { request }: Plan,
  { type, repository }: RequestedDisk,
  platforms: readonly Architecture[],
): Promise<BranchEnd> {
  const { state, table } = release;
  const made = presentDisks(state).find((one) => one.type === type)?.platforms ?? [];
  // A hold began when the registry had lost one.
  if (made.length < platforms.length) return 'outdated';
  const entries = made.flatMap(({ platform, digest }) => (digest === null ? [] : [{ platform, digest }]));
  if (entries.length === 0) {
    const change = { status: 'skipped', at: Date.now() } as const;
    table.updateAll(({ subject, status }) => subject === type && status === 'waiting', change);
    return 'done';
  }
  const joined = joinedOf(state, type, entries);
  const { key, tag, timing } = request;
  try {
    if (joined.digest === null) {
      const of = entries.map(({ platform }) => platform).join(', ');
      const { digest } = await runStage(release, { name: 'index', subject: type }, null, () =>
        activities('sign', timing, `index of ${type} for ${of}`).index({
          ...state.identity,
          repository,
          entries,
          timing,
        }),
      );
      joined.digest = digest;
    }
    const input = { ...state.identity, key, repository, digest: joined.digest, tags: [tag], timing };
    await signAndVerify(release, type, input, joined);
    return 'done';
  } catch (error) {
    if (!(error instanceof StageFailed) || error.failure.kind !== 'disk-vanished') throw error;
    forgetJoined(state, type);
    if (!mayGoBack(state.lost, type)) throw error;
    return 'outdated';
  }
}

/** What there is of the index of these entries. */
function joinedOf({ joined }: ReleaseState, type: string, made: readonly object[]): JoinedDisk {
  const entries = JSON.stringify(made);
  const known = joined.get(type);
  if (known?.entries === entries) return known;
  const begun: JoinedDisk = { entries, digest: null, signed: false, verified: false };
  joined.set(type, begun);
  return begun;
}
