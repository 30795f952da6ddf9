/**
 * The platforms of an image of several: each a branch that claims a host of its architecture, builds and pushes there.
 * They run at once, and are held separately; their index is made when all are there.
 */
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { Architecture } from '../../../model/base/host.ts';
import { imageSubject } from '../../../model/stage/stage.ts';
import { activities } from '../../activities.ts';
import { runStage, settled } from '../../run-stage.ts';
import { untilDone } from '../branch.ts';
import type { Plan } from '../plan.ts';
import { buildAndPush } from './build-and-push.ts';
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
  const known = platforms.get(platform) ?? { build: null, sbom: null, push: null, host: null };
  platforms.set(platform, known);
  return known;
}

async function pushPlatform(release: ShownRelease, plan: Plan, platform: Architecture): Promise<'done'> {
  const own = platformOf(release, platform);
  if (!own.push) await buildAndPush(release, plan, own, platform);
  return 'done';
}
