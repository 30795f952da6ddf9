/**
 * The image branch: proof of signing, build, push, sign, verify, and what a device would say. Disks begin once it is
 * pushed; with `verification`, once the device has spoken.
 */
import { isCancellation } from '@temporalio/workflow';
import { ActivityFailure } from '@temporalio/common';
import type { Architecture } from '../../../model/base/host.ts';
import type { ProveSigningResult } from '../../../model/contract/sign.ts';
import type { ReleaseRequest } from '../../../model/spec/request.ts';
import { imageSubject } from '../../../model/stage/stage.ts';
import { failureFrom, mayGoBack, StageFailed } from '../../failure.ts';
import type { ClaimedHost } from '../../host/claimed-host.ts';
import { activities } from '../../activities.ts';
import { runStage } from '../../run-stage.ts';
import { utcInWords } from '../../../model/base/words.ts';
import { signAndVerify } from '../../signing.ts';
import { untilDone, type BranchEnd } from '../branch.ts';
import { beginDisks } from '../disks/disks.ts';
import { buildAndPush, imageSegment, isVanished } from './build-and-push.ts';
import { pushPlatforms } from './platforms.ts';
import { mayAskApproval, signedRepositories, signedTags, type Plan } from '../plan.ts';
import type { ShownRelease } from '../show.ts';
import { discardImage, isImageLost, isOutdated, unpushImage } from '../state.ts';

/**
 * Builds the image, pushes it by digest, signs and verifies it. Skips the steps that are done. Stops before a step when
 * the plan has changed.
 */
export async function makeImage(release: ShownRelease, plan: Plan): Promise<BranchEnd> {
  const { state } = release;
  // A disk that ends the release lets nobody be waited for.
  const outdated = () =>
    isOutdated(state, plan) || [...state.runs.values()].some(({ outcome }) => outcome === 'failed');
  return untilDone(release, 'image', () => imageSteps(release, plan, outdated), outdated);
}

/** Proves that the key can sign and that signatures may be pushed, before an hour is spent on a build. */
export async function proveSigning({ state, table }: ShownRelease, request: ReleaseRequest): Promise<void> {
  const { key, timing } = request;
  const worker = activities('sign', timing, `prove that ${key} may sign`);
  const since = utcInWords(new Date());
  const start = '`flightline worker --role sign` starts one';
  table.note('sign', 'image', `waits for a sign worker to prove that ${key} can sign, since ${since}; ${start}`);
  try {
    const { publicKey }: ProveSigningResult = await worker.proveSigning({
      ...state.identity,
      key,
      repositories: signedRepositories(request),
      timing,
    });
    state.proof.repositories = signedRepositories(request).join();
    state.proof.publicKey = publicKey;
  } finally {
    table.note('sign', 'image', null);
  }
}

async function imageSteps(release: ShownRelease, plan: Plan, outdated: () => boolean): Promise<BranchEnd> {
  const { state } = release;
  const { request } = plan;
  await prove(release, request);
  // The key was replaced while the release was held, and the image holds the old one.
  if (state.image.builtWith !== null && state.image.builtWith !== state.proof.publicKey) discardImage(state);
  for (;;) {
    if (outdated()) return 'outdated';
    if (state.image.push && isImageLost(state)) unpushImage(state);
    try {
      if (!state.image.push && request.platforms) await pushPlatforms(release, plan, request.platforms, outdated);
      else if (!state.image.push) await buildAndPush(release, plan, state.image);
    } catch (error) {
      if (!isVanished(error) || !request.platforms) throw error;
      unpushImage(state);
      if (!mayGoBack(state.lost, 'image')) throw error;
      continue;
    }
    if (outdated()) return 'outdated';
    // Whether a device takes an image with a policy of its own is known only after device-verify.
    if (!request.verification) await beginDisks(release, plan);
    try {
      await signImage(release, plan);
      if (outdated()) return 'outdated';
      if (request.verification) {
        for (const platform of request.platforms ?? [undefined]) await deviceVerify(release, request, platform);
      }
      return 'done';
    } catch (error) {
      if (!isVanished(error)) throw error;
      unpushImage(state);
      if (!mayGoBack(state.lost, 'image')) throw error;
    }
  }
}

async function prove(release: ShownRelease, request: ReleaseRequest): Promise<void> {
  const { proof } = release.state;
  if (proof.repositories === signedRepositories(request).join()) return;
  const early = proof.failure;
  proof.failure = null;
  try {
    if (early) throw new StageFailed(early);
    await proveSigning(release, request);
  } catch (error) {
    const failure = error instanceof StageFailed ? error.failure : proofFailure(error);
    // The proof has no row of its own, so `sign` shows it.
    release.table.update('sign', 'image', { status: 'failed', at: Date.now() });
    throw new StageFailed({ ...failure, stage: 'sign' });
  }
}

/** The failure of a proof. @throws any error that is not a failed activity. */
export function proofFailure(error: unknown): StageFailed['failure'] {
  if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
  return failureFrom(error, 'sign');
}

/** For its own tag alone where a person may be asked: what they reject must not be signed for a name of others. */
async function signImage(release: ShownRelease, plan: Plan): Promise<void> {
  const { state } = release;
  const { repository, tag, key, timing, updateFrom, platforms, architecture } = plan.request;
  const { image } = state;
  const input = { ...state.identity, key, repository, digest: image.push!.digest, timing };
  const update = { from: updateFrom, architectures: platforms ?? [architecture] };
  const isAll = !mayAskApproval(plan);
  const wasVerified = image.verified;
  await signAndVerify(release, 'image', { ...input, tags: isAll ? signedTags(plan.request) : [tag], update }, image);
  if (wasVerified) return;
  if (isAll) Object.assign(image.further, { signed: true, verified: true });
  release.changed();
}

/** Signs the image for its names but its own tag, unless it is. `false` when the registry has lost it. */
export async function signFurther(release: ShownRelease, request: ReleaseRequest): Promise<boolean> {
  const { image, identity } = release.state;
  const { key, repository, tag, timing } = request;
  const tags = signedTags(request).filter((other) => other !== tag);
  if (tags.length === 0) return true;
  try {
    const input = { ...identity, key, repository, digest: image.push!.digest, tags, timing };
    await signAndVerify(release, 'image', input, image.further);
    return true;
  } catch (error) {
    if (!isVanished(error)) throw error;
    return false;
  }
}

/**
 * Runs on any build host of the architecture, since it needs containers and uses the image in the registry. Of several
 * platforms a device of each takes its own image.
 */
async function deviceVerify(release: ShownRelease, request: ReleaseRequest, platform?: Architecture): Promise<void> {
  const { state } = release;
  const subject = imageSubject(platform);
  if (release.table.isFinished('device-verify', subject)) return;
  const { repository, tag, key, timing } = request;
  const made = platform ? state.image.platforms.get(platform)! : state.image;
  const image = { repository, tag, digest: made.push!.digest };
  const body = async (host: ClaimedHost) => {
    await runStage(release, { name: 'device-verify', subject }, host.name, () =>
      host.run((scheduleToStart) => {
        const place = {
          host: host.name,
          work: 'build',
          startToClose: timing.buildStartToClose,
          scheduleToStart,
        } as const;
        const worker = activities('stage', timing, `try the policy of ${subject} on ${host.name}`, place);
        return worker.deviceVerify({ ...state.identity, platform, image, key, timing });
      }),
    );
  };
  try {
    const segment = imageSegment(release, request, { stage: 'device-verify', preferred: made.host, platform });
    await segment.work({ body, claimed: (host) => release.addHost(host) }, null);
  } catch (error) {
    // The key may be the reason: prove it again.
    if (error instanceof StageFailed) state.proof.repositories = null;
    throw error;
  }
}
