/**
 * The platforms of an image of several: each a branch that claims a host of its architecture, builds and pushes there.
 * They run at once, and are held separately; their index is made when all are there.
 */
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { Architecture } from '../../../model/base/host.ts';
import { imageSubject } from '../../../model/stage/stage.ts';
import { StageFailed } from '../../failure.ts';
import { HostSegment, type ClaimedHost } from '../../host/segment.ts';
import { activities } from '../../activities.ts';
import { runStage, settled } from '../../run-stage.ts';
import { untilDone } from '../branch.ts';
import { BUILD_SPACE, buildInput, type Plan } from '../plan.ts';
import type { ShownRelease } from '../show.ts';
import type { PlatformState } from '../image-state.ts';

/**
 * Builds and pushes every platform by digest, then makes their index. Leaves off when the plan has changed; the caller
 * asks.
 */
export async function pushPlatforms(
  release: ShownRelease,
  plan: Plan,
  platforms: readonly Architecture[],
  outdated: () => boolean,
): Promise<void> {
  const { state } = release;
  // The image waits for them: a release whose platforms are held is held.
  state.active.delete('image');
  const scope = new CancellationScope();
  const branches = platforms.map((platform) => {
    const work = () => pushPlatform(release, plan, platform);
    return settled(
      scope
        .run(() => untilDone(release, imageSubject(platform), work, outdated))
        .catch((error: unknown) => {
          // One that ends the release lets nobody be waited for.
          scope.cancel();
          throw error;
        }),
    );
  });
  const ends = await Promise.all(branches);
  state.active.add('image');
  const failed = ends.filter((end) => !end.ok);
  if (failed.length > 0) throw (failed.find(({ error }) => !isCancellation(error)) ?? failed[0]!).error;
  if (outdated()) return;
  await makeIndex(release, plan, platforms);
}

async function makeIndex(release: ShownRelease, { request }: Plan, platforms: readonly Architecture[]): Promise<void> {
  const { state } = release;
  const { repository, timing } = request;
  const entries = platforms.map((platform) => ({ platform, digest: platformOf(release, platform).push!.digest }));
  const { digest } = await runStage(release, { name: 'index', subject: 'image' }, null, () =>
    activities('sign', timing, `index of ${platforms.join(', ')}`).index({
      ...state.identity,
      repository,
      entries,
      timing,
    }),
  );
  state.image.push = { digest, host: null };
}

function platformOf({ state }: ShownRelease, platform: Architecture): PlatformState {
  const { platforms } = state.image;
  const known = platforms.get(platform) ?? { build: null, push: null, host: null };
  platforms.set(platform, known);
  return known;
}

async function pushPlatform(release: ShownRelease, plan: Plan, platform: Architecture): Promise<'done'> {
  const own = platformOf(release, platform);
  if (own.push) return 'done';
  const { timing } = plan.request;
  const segment = new HostSegment({
    identity: release.state.identity,
    architecture: platform,
    timing,
    requestedAt: release.state.startedAt,
    branch: imageSubject(platform),
    slot: 'build',
    space: BUILD_SPACE,
    stage: 'build',
    preferred: own.host,
    exclude: [],
  });
  const work = {
    body: (host: ClaimedHost) => onHost(release, plan, host, platform),
    claimed: (host: string) => {
      own.host = host;
      release.addHost(host);
    },
    left: () => {
      own.build = null;
      own.host = null;
    },
  };
  try {
    await segment.work(work, own.build?.host ?? null);
  } catch (error) {
    // The host has lost what it built: a retry builds again.
    if (error instanceof StageFailed && error.failure.kind === 'disk-vanished') own.build = null;
    throw error;
  }
  return 'done';
}

async function onHost(release: ShownRelease, plan: Plan, host: ClaimedHost, platform: Architecture): Promise<void> {
  const own = platformOf(release, platform);
  const { identity } = release.state;
  const { repository, timing, compression } = plan.request;
  const subject = imageSubject(platform);
  const at = host.name;
  own.build ??= await runStage(release, { name: 'build', subject }, at, () =>
    host.run((scheduleToStart) => {
      const place = { host: at, work: 'build', startToClose: timing.buildStartToClose, scheduleToStart } as const;
      const worker = activities('stage', timing, `build image for ${platform} on ${at}`, place);
      return worker.build(buildInput(identity, plan, null, platform));
    }),
  );
  const { imageId } = own.build;
  own.push = await runStage(release, { name: 'push', subject }, at, () =>
    host.run((scheduleToStart) => {
      const place = { host: at, work: 'transfer', startToClose: timing.transferStartToClose, scheduleToStart } as const;
      const worker = activities('stage', timing, `push image for ${platform} from ${at}`, place);
      return worker.push({ ...identity, repository, platform, imageId, compression, timing });
    }),
  );
}
