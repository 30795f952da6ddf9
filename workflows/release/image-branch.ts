/** The image branch of a release: proof of signing, build, push, sign, verify, and what a device would say. */
import type { ActivitiesOn } from '../../model/contract/activities.ts';
import { isCancellation, proxyActivities } from '@temporalio/workflow';
import { ActivityFailure } from '@temporalio/common';
import type { ProveSigningResult } from '../../model/contract/sign.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import type { Stage } from '../../model/release/stage.ts';
import { failureFrom, StageFailed } from '../failure.ts';
import { HostSegment, type ClaimedHost } from '../host/segment.ts';
import { hostOptions, signOptions } from '../options.ts';
import { buildInput, imageTags, signedRepositories, type Plan } from './plan.ts';
import type { ReleaseState } from './release-state.ts';
import { runStage, type Settled } from './run-stage.ts';
import { signingAgain } from './sign-again.ts';
import { BUILD_SPACE } from './space.ts';

/** How often the registry may lose the image on its way to a signature before the branch is held. */
const MAX_VANISHED = 3;

/** Makes the image, pushes it by digest, signs and verifies it. Each step that is done already is left out. */
export class ImageBranch {
  private readonly state: ReleaseState;
  /** Repositories for which signing was proved. */
  private proven: string | null = null;
  /** The proof that began with the release, beside resolve. */
  private early: Settled<ProveSigningResult> | null;
  /** The public key that the last proof told, and the one that the image was built with, if it holds one. */
  private publicKey: string | null = null;
  private builtWith: string | null = null;
  /** The host that built last: its cache makes the next build shorter. */
  private lastHost: string | null = null;
  /** How often the registry lost the image between push and verification. */
  private vanished = 0;

  /** @param early null when nothing was proved yet: the branch begins with it. */
  constructor(state: ReleaseState, early: Settled<ProveSigningResult> | null) {
    this.state = state;
    // A proof that succeeded is not asked again: what it proved may have changed by then.
    this.early = early?.ok ? null : early;
    if (early?.ok) this.noteProof(state.request, early.value);
  }

  /** `false` when another plan took its place meanwhile. */
  async run(plan: Plan): Promise<boolean> {
    const { state } = this;
    const superseded = () => state.plan !== plan;
    return state.untilDone('image', () => this.steps(plan), superseded);
  }

  private async steps(plan: Plan): Promise<void> {
    const { state } = this;
    await this.prove(plan.request);
    // The key was exchanged while the release was held: the image holds the former.
    if (this.builtWith !== null && this.builtWith !== this.publicKey) state.discardImage();
    for (;;) {
      if (!state.image.push) await this.buildAndPush(plan);
      try {
        await this.signAndVerify(plan.request);
        if (plan.request.verification) await this.deviceVerify(plan);
        return;
      } catch (error) {
        if (!(error instanceof StageFailed) || error.failure.kind !== 'disk-vanished') throw error;
        state.unpushImage();
        this.vanished += 1;
        if (this.vanished > MAX_VANISHED) {
          this.vanished = 0;
          throw error;
        }
      }
    }
  }

  private async signAndVerify(request: ReleaseRequest): Promise<void> {
    const { state } = this;
    const { repository, key, timing } = request;
    const { digest } = state.image.push!;
    const input = { ...state.identity, key, repository, digest, tags: imageTags(request), timing };
    const sign = async () => {
      await runStage(state, { name: 'sign', subject: 'image' }, null, () =>
        proxyActivities<ActivitiesOn<'sign'>>(signOptions(timing, 'sign image')).sign(input),
      );
      state.image.signed = true;
    };
    const verify = () =>
      runStage(state, { name: 'verify', subject: 'image' }, null, () =>
        proxyActivities<ActivitiesOn<'sign'>>(signOptions(timing, 'verify image')).verify(input),
      );
    if (!state.image.signed) await sign();
    if (!state.image.verified) {
      await signingAgain(verify, sign);
      state.image.verified = true;
      state.changed();
    }
  }

  /** On a build host, since it takes containers; by the registry's copy of the image, so that any of them will do. */
  private async deviceVerify({ request }: Plan): Promise<void> {
    const { state } = this;
    if (state.image.deviceVerified) return;
    const { repository, tag, key, timing } = request;
    const image = { repository, tag, digest: state.image.push!.digest };
    const body = async (host: ClaimedHost) => {
      await runStage(state, { name: 'device-verify', subject: 'image' }, host.name, () =>
        host.run((scheduleToStart) => {
          const place = { host: host.name, work: 'build', startToClose: timing.buildStartToClose } as const;
          const options = hostOptions(timing, { ...place, scheduleToStart }, `try the image's policy on ${host.name}`);
          const { deviceVerify } = proxyActivities<ActivitiesOn<'build'>>(options);
          return deviceVerify({ ...state.identity, image, key, timing });
        }),
      );
    };
    try {
      await this.segment(request, 'device-verify').work({ body, claimed: (host) => state.addHost(host) }, null);
    } catch (error) {
      // It may be the key that is to be looked at anew.
      if (error instanceof StageFailed) this.proven = null;
      throw error;
    }
    state.image.deviceVerified = true;
    state.changed();
  }

  private async prove(request: ReleaseRequest): Promise<void> {
    if (this.proven === provenKey(request)) return;
    const { early, state } = this;
    this.early = null;
    try {
      if (early && !early.ok) throw early.error;
      this.noteProof(request, await proveSigning(state, request));
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      // The proof has no row of its own: it stands for the signature that it is about.
      const failure = failureFrom(error, 'sign');
      state.table.update('sign', 'image', { status: 'failed', at: Date.now() });
      throw new StageFailed({ ...failure, stage: 'sign' });
    }
  }

  private noteProof(request: ReleaseRequest, { publicKey }: ProveSigningResult): void {
    this.proven = provenKey(request);
    this.publicKey = publicKey;
  }

  /** Claims a host for a stage of this branch, the one that built last before others. */
  private segment({ architecture, timing }: ReleaseRequest, stage: Stage): HostSegment {
    const { identity, startedAt } = this.state;
    return new HostSegment({
      identity,
      architecture,
      timing,
      requestedAt: startedAt,
      branch: 'image',
      slot: 'build',
      space: BUILD_SPACE,
      stage,
      preferred: this.lastHost,
      exclude: [],
    });
  }

  private async buildAndPush(plan: Plan): Promise<void> {
    const { state } = this;
    const { image } = state;
    const segment = this.segment(plan.request, 'build');
    const forgetBuild = () => {
      state.image.build = null;
    };
    const left = () => {
      forgetBuild();
      this.lastHost = null;
    };
    try {
      const body = (host: ClaimedHost) => this.onHost(plan, host);
      const claimed = (host: string) => {
        this.lastHost = host;
        state.addHost(host);
      };
      await segment.work({ body, claimed, left }, image.build?.host ?? null);
    } catch (error) {
      // The host has lost what it built: a retry builds again.
      if (error instanceof StageFailed && error.failure.kind === 'disk-vanished') forgetBuild();
      throw error;
    }
  }

  private async onHost(plan: Plan, host: ClaimedHost): Promise<void> {
    const { state } = this;
    const { image, identity } = state;
    const { repository, timing } = plan.request;
    const at = host.name;
    image.build ??= await runStage(state, { name: 'build', subject: 'image' }, at, () =>
      host.run((scheduleToStart) => {
        const place = { host: at, work: 'build', startToClose: timing.buildStartToClose } as const;
        const options = hostOptions(timing, { ...place, scheduleToStart }, `build image on ${at}`);
        return proxyActivities<ActivitiesOn<'build'>>(options).build(buildInput(identity, plan, this.publicKey));
      }),
    );
    this.builtWith = plan.request.verification ? this.publicKey : null;
    const { imageId } = image.build;
    image.push = await runStage(state, { name: 'push', subject: 'image' }, at, () =>
      host.run((scheduleToStart) => {
        const place = { host: at, work: 'transfer', startToClose: timing.transferStartToClose } as const;
        const options = hostOptions(timing, { ...place, scheduleToStart }, `push image from ${at}`);
        return proxyActivities<ActivitiesOn<'transfer'>>(options).push({ ...identity, repository, imageId, timing });
      }),
    );
  }
}

/** Proves that the release's key signs and that what is signed may be pushed, before an hour is spent. */
export async function proveSigning(state: ReleaseState, request: ReleaseRequest): Promise<ProveSigningResult> {
  const { key, timing } = request;
  return proxyActivities<ActivitiesOn<'sign'>>(signOptions(timing, `prove that ${key} may sign`)).proveSigning({
    ...state.identity,
    key,
    repositories: signedRepositories(request),
    timing,
  });
}

function provenKey(request: ReleaseRequest): string {
  return signedRepositories(request).join();
}
