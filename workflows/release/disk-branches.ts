/** The disk branches of a release: one child workflow for each builder run, all at once, each held and redone alone. */
import {
  CancellationScope,
  CancelledFailure,
  condition,
  executeChild,
  isCancellation,
  sleep,
} from '@temporalio/workflow';
import { ChildWorkflowFailure, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { BUILDER_RUN_WORKFLOW, type BuilderRunInput, type BuilderRunResult } from '../../model/contract/messages.ts';
import type { Failure } from '../../model/release/failure.ts';
import { builderRunId } from '../../model/oci/reference.ts';
import { builderRunFailureFrom, failureFrom, StageFailed } from '../failure.ts';
import { bootTestOf, diskBuildInput, runKey, type Plan } from './plan.ts';
import type { ReleaseState } from './release-state.ts';
import { builderRunSpace } from './space.ts';
import { requestedRuns, type RequestedRun } from '../../model/release/stage-table.ts';
import { builderRunSummary } from '../../model/release/summaries.ts';

type ChildWorkflow = (input: BuilderRunInput) => Promise<BuilderRunResult>;

/** A builder run under way, held or done. */
interface Branch {
  readonly run: RequestedRun;
  /** What it makes; another key is another branch. */
  readonly key: string;
  readonly imageInputs: string;
  readonly scope: CancellationScope;
  readonly requestedAt: string;
  /** The host of its last child, which has its files. */
  host: string | null;
  /** How often something of it vanished from the registry. */
  vanished: number;
  /**
   * Null while it runs or is held; `superseded` when it must begin again: a retry came with another plan while it was held, or
   * the registry lost its image.
   */
  outcome: { error: unknown } | 'done' | 'superseded' | null;
  ended: Promise<void>;
}

/** How often a branch goes back by itself to what the registry lost, before it is held. */
const MAX_VANISHED = 3;

/** The registry lost the image of a branch. Never leaves this file. */
class ImageVanished extends Error {}

export class DiskBranches {
  private readonly state: ReleaseState;
  private readonly branches = new Map<string, Branch>();
  /** The plan that the branches follow. */
  private plan: Plan | null = null;
  /** A branch found that the registry has the image no more. */
  private imageVanished = false;

  constructor(state: ReleaseState) {
    this.state = state;
  }

  /**
   * Waits until every disk of the plan is published, signed and verified; `false` when another plan took its place, or the image
   * must be pushed again first.
   */
  async run(plan: Plan): Promise<boolean> {
    const { state } = this;
    this.plan = plan;
    this.imageVanished = false;
    const wanted = new Map(
      requestedRuns(plan.request.disks).map((run) => {
        const input = this.input(plan, run);
        return [run.subject, { run, input, key: runKey(input.build, run, plan.request) }];
      }),
    );
    await this.retire((branch) => wanted.get(branch.run.subject)?.key !== branch.key);
    for (const [subject, { run, input, key }] of wanted) {
      const before = this.branches.get(subject);
      if (!before || before.outcome === 'superseded') this.begin(plan, run, input, key, before);
    }
    const all = [...this.branches.values()];
    const failed = () =>
      all.map(({ outcome }) => outcome).find((outcome) => typeof outcome === 'object' && outcome !== null);
    const superseded = () => all.some(({ outcome }) => outcome === 'superseded');
    await condition(() => {
      const over = all.every((branch) => branch.outcome === 'done');
      return over || failed() !== undefined || state.plan !== plan || superseded();
    });
    const failure = failed();
    if (failure) throw failure.error;
    // Here, and not where it was found: the image branch must not run meanwhile.
    if (this.imageVanished) state.unpushImage();
    return state.plan === plan && !superseded();
  }

  /** Ends the branches of an image that is to be built anew. */
  async retireOutdated(imageInputs: string): Promise<void> {
    await this.retire((branch) => branch.imageInputs !== imageInputs);
  }

  /** Makes the builder runs with one of these digests run again; they adopt what still is there. */
  redo(digests: readonly string[]): void {
    for (const [subject, result] of this.state.runs) {
      if (!result.disks.some((disk) => disk.digest !== null && digests.includes(disk.digest))) continue;
      this.forget(subject);
    }
  }

  /** Cancels everything and waits for its end. */
  async stop(): Promise<void> {
    for (const branch of this.branches.values()) branch.scope.cancel();
    await Promise.all([...this.branches.values()].map((branch) => branch.ended));
  }

  private async retire(outdated: (branch: Branch) => boolean): Promise<void> {
    const leaving = [...this.branches.values()].filter(outdated);
    for (const branch of leaving) branch.scope.cancel();
    await Promise.all(leaving.map((branch) => branch.ended));
    for (const branch of leaving) this.forget(branch.run.subject);
  }

  private forget(subject: string): void {
    this.branches.delete(subject);
    this.state.runs.delete(subject);
    this.state.reset(subject);
  }

  private input(plan: Plan, run: RequestedRun): BuilderRunInput {
    const { state } = this;
    const { image, identity } = state;
    const { request } = plan;
    const bootTest = bootTestOf(request, run.types);
    if (!image.push) throw new Error('a builder run needs a pushed image');
    return {
      ...identity,
      build: diskBuildInput(identity, plan, run, image.push.digest),
      disks: run.disks,
      ...(bootTest && { bootTest }),
      key: request.key,
      preferredHost: image.build?.host ?? image.push.host,
      exclude: [],
      space: builderRunSpace(image.build?.size ?? 0, run.types),
      requestedAt: state.startedAt,
      tags: [request.tag],
      keepFiles: request.keepFiles,
    };
  }

  private begin(plan: Plan, run: RequestedRun, input: BuilderRunInput, key: string, before?: Branch): void {
    const branch: Branch = {
      run,
      key,
      imageInputs: plan.resolved.imageInputs,
      scope: new CancellationScope(),
      requestedAt: before?.requestedAt ?? new Date().toISOString(),
      host: before?.host ?? null,
      vanished: before?.vanished ?? 0,
      outcome: null,
      ended: Promise.resolve(),
    };
    this.branches.set(run.subject, branch);
    branch.ended = branch.scope
      .run(() =>
        this.state.untilDone(
          run.subject,
          () => this.work(branch, input),
          () => this.state.plan !== this.plan,
        ),
      )
      .then(
        (done) => {
          branch.outcome = done ? 'done' : 'superseded';
        },
        (error: unknown) => {
          branch.outcome = error instanceof ImageVanished ? 'superseded' : { error };
        },
      );
  }

  /** Child workflows, until one succeeds. */
  private async work(branch: Branch, input: BuilderRunInput): Promise<void> {
    for (;;) {
      try {
        return await this.child(branch, input);
      } catch (error) {
        if (!(error instanceof StageFailed) || !this.goesBack(branch, error.failure)) throw error;
      }
    }
  }

  /** One child workflow from start to end. */
  private async child(branch: Branch, input: BuilderRunInput): Promise<void> {
    const { state } = this;
    const { subject, types } = branch.run;
    const workflowId = builderRunId(state.identity.release, types);
    state.children.set(subject, workflowId);
    state.reset(subject);
    state.table.update('disk-build', subject, { status: 'running', at: Date.now() });
    state.changed();
    const { requestedAt, host } = branch;
    try {
      const result = await this.execute(workflowId, {
        ...input,
        requestedAt,
        preferredHost: host ?? input.preferredHost,
      });
      state.runs.set(subject, result);
      for (const one of result.hosts) state.hosts.add(one);
      state.table.merge(result.stages);
      state.changed();
    } catch (error) {
      if (!(error instanceof ChildWorkflowFailure)) throw error;
      if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
      const told = builderRunFailureFrom(error);
      for (const one of told?.hosts ?? []) state.hosts.add(one);
      branch.host = told?.hosts.at(-1) ?? branch.host;
      if (told) state.table.merge(told.stages);
      else state.table.update('disk-build', subject, { status: 'failed', at: Date.now(), attempts: 1 });
      const failure = failureFrom(error, 'disk-build');
      throw new StageFailed(failure);
    }
  }

  /**
   * `true` when the branch runs again at once, since the registry lost what it had published.
   *
   * @throws ImageVanished when it is the image that must be pushed again first.
   */
  private goesBack(branch: Branch, { kind, stage }: Failure): boolean {
    // At publication it is the host that has the file no more: a person decides whether it is built again.
    if (kind !== 'disk-vanished' || stage === 'publish') return false;
    branch.vanished += 1;
    if (branch.vanished > MAX_VANISHED) {
      branch.vanished = 0;
      return false;
    }
    if (stage !== 'disk-build') return true;
    this.imageVanished = true;
    throw new ImageVanished();
  }

  /** Executes the child. One of an earlier run of the release may still be cleaning up under the same id: that is waited for. */
  private async execute(workflowId: string, input: BuilderRunInput): Promise<BuilderRunResult> {
    const { timing, branch, image } = input.build;
    for (let pause = timing.retryInitial; ; pause = Math.min(2 * pause, timing.retryMaximum)) {
      try {
        return await executeChild<ChildWorkflow>(BUILDER_RUN_WORKFLOW, {
          workflowId,
          args: [input],
          parentClosePolicy: 'REQUEST_CANCEL',
          cancellationType: 'WAIT_CANCELLATION_COMPLETED',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          staticSummary: builderRunSummary(branch, image),
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError) || isCancellation(error)) throw error;
        await sleep(pause, { summary: `until ${workflowId} of an earlier run has ended` });
      }
    }
  }
}
