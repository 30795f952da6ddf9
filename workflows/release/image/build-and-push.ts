/** Builds an image, or one of its platforms, on a build host, and pushes it from there by digest. */
import type { Architecture } from '../../../model/base/host.ts';
import type { RechunkResult, SbomInput } from '../../../model/contract/build.ts';
import type { ReleaseRequest } from '../../../model/spec/request.ts';
import { imageSubject, type Stage } from '../../../model/stage/stage.ts';
import { StageFailed } from '../../failure.ts';
import { HostSegment } from '../../host/segment.ts';
import type { ClaimedHost } from '../../host/claimed-host.ts';
import { activities } from '../../activities.ts';
import { runStage } from '../../run-stage.ts';
import type { PlatformState } from '../image-state.ts';
import { passImage } from '../gates/image-gates.ts';
import { BUILD_SPACE, buildInput, type Plan } from '../plan.ts';
import type { ShownRelease } from '../show.ts';

/**
 * Does what is not done yet, and notes it in `made`.
 *
 * @param platform one of several
 */
export async function buildAndPush(
  release: ShownRelease,
  plan: Plan,
  made: PlatformState,
  platform?: Architecture,
): Promise<void> {
  try {
    await imageSegment(release, plan.request, { stage: 'build', preferred: made.host, platform }).work(
      {
        body: (host) => onHost(release, plan, host, { made, platform }),
        claimed: (host) => {
          made.host = host;
          release.addHost(host);
        },
        left: () => {
          forgetBuild(made);
          made.host = null;
        },
      },
      made.build?.host ?? null,
    );
  } catch (error) {
    // The host has lost what it built: a retry builds again.
    if (isVanished(error)) forgetBuild(made);
    throw error;
  }
}

async function onHost(
  release: ShownRelease,
  plan: Plan,
  host: ClaimedHost,
  { made, platform }: { made: PlatformState; platform: Architecture | undefined },
): Promise<void> {
  const { image, identity, proof } = release.state;
  const { repository, timing, verification, compression, sbom: formats } = plan.request;
  const subject = imageSubject(platform);
  const what = platform === undefined ? 'image' : `image for ${platform}`;
  const at = host.name;
  made.build ??= await runStage(release, { name: 'build', subject }, at, () =>
    host.run((scheduleToStart) => {
      const place = { host: at, work: 'build', startToClose: timing.buildStartToClose, scheduleToStart } as const;
      const worker = activities('stage', timing, `build ${what} on ${at}`, place);
      return worker.build(buildInput(identity, plan, proof.publicKey, platform));
    }),
  );
  image.builtWith = verification ? proof.publicKey : null;
  made.rechunked ??= await rewriteLayers(release, plan, host, { imageId: made.build.imageId, platform });
  const { imageId } = made.rechunked ?? made.build;
  made.sbom ??= formats
    ? await listPackages(release, host, { ...identity, repository, platform, imageId, formats, timing })
    : null;
  await passImage(release, plan, host, { imageId, platform });
  made.push = await runStage(release, { name: 'push', subject }, at, () =>
    host.run((scheduleToStart) => {
      const place = { host: at, work: 'transfer', startToClose: timing.transferStartToClose, scheduleToStart } as const;
      const worker = activities('stage', timing, `push ${what} from ${at}`, place);
      return worker.push({ ...identity, repository, platform, imageId, compression, timing });
    }),
  );
}

/** The stage `rechunk`: the image with other layers is what is listed and pushed. */
async function rewriteLayers(
  release: ShownRelease,
  { request, resolved }: Plan,
  host: ClaimedHost,
  { imageId, platform }: { imageId: string; platform: Architecture | undefined },
): Promise<RechunkResult | null> {
  const { repository, rechunk, updateFrom, timing } = request;
  const { rechunker } = resolved;
  if (!rechunk || !rechunker) return null;
  const row = { name: 'rechunk', subject: imageSubject(platform) } as const;
  const { tool, maxLayers } = rechunk;
  const architecture = platform ?? request.architecture;
  const about = { ...release.state.identity, repository, platform, architecture, imageId, timing };
  return runStage(release, row, host.name, () =>
    host.run((scheduleToStart) => {
      const startToClose = timing.buildStartToClose;
      const place = { host: host.name, work: 'build', startToClose, scheduleToStart } as const;
      const worker = activities('stage', timing, `rewrite the layers of ${row.subject}`, place);
      return worker.rechunk({ ...about, rechunker, tool, maxLayers, follows: updateFrom });
    }),
  );
}

/** The stage `sbom`: before the push, so that a host without Syft holds the release before anything is sent. */
async function listPackages(release: ShownRelease, host: ClaimedHost, input: SbomInput): Promise<string> {
  const { timing, platform } = input;
  const row = { name: 'sbom', subject: imageSubject(platform) } as const;
  const { digest } = await runStage(release, row, host.name, () =>
    host.run((scheduleToStart) => {
      const startToClose = timing.buildStartToClose;
      const place = { host: host.name, work: 'build', startToClose, scheduleToStart } as const;
      return activities('stage', timing, `list the packages of ${row.subject}`, place).sbom(input);
    }),
  );
  return digest;
}

function forgetBuild(made: PlatformState): void {
  Object.assign(made, { build: null, rechunked: null, sbom: null });
}

/** Claims a host for a stage of the image, or of one of its platforms. Asks the host of the last build first. */
export function imageSegment(
  { state }: ShownRelease,
  { architecture, timing }: ReleaseRequest,
  { stage, preferred, platform }: { stage: Stage; preferred: string | null; platform?: Architecture | undefined },
): HostSegment {
  return new HostSegment({
    identity: state.identity,
    architecture: platform ?? architecture,
    timing,
    requestedAt: state.startedAt,
    branch: imageSubject(platform),
    slot: 'build',
    space: BUILD_SPACE,
    stage,
    preferred,
    exclude: [],
  });
}

/** `true` when what was made is gone, from the host or the registry. */
export function isVanished(error: unknown): error is StageFailed {
  return error instanceof StageFailed && error.failure.kind === 'disk-vanished';
}
