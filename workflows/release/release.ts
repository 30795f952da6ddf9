/** The `release` workflow: one run of the pipeline for one `repository:tag` (DESIGN §3). */
import type { ActivitiesOn } from '../../model/contract/activities.ts';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  patched,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { ActivityFailure, type ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import type { Decided, Decision } from '../../model/release/approval.ts';
import type { ResolveResult } from '../../model/contract/control.ts';
import { RetryInput, type RetryResult } from '../../model/contract/messages.ts';
import { failureOf, lastBytes, type Failure } from '../../model/release/failure.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { ReleaseRequest } from '../../model/spec/request.ts';
import { decideUpdate } from '../approval.ts';
import { cleanUp } from './clean-up.ts';
import { DiskBranches } from './disk-branches.ts';
import { failureFrom, fittingRecord, ReleaseFailed, StageFailed, toTemporalFailure } from '../failure.ts';
import { Finish } from './finish.ts';
import { ImageBranch, proveSigning } from './image-branch.ts';
import { heldSignal, hostSignal, recordQuery, retryUpdate } from '../messages.ts';
import { controlOptions } from '../options.ts';
import { refusalOf } from './plan.ts';
import { ReleaseState } from './release-state.ts';
import { runStage, settled } from './run-stage.ts';

/** Bytes of a hold's message for the nightly run: its result is one line. */
const MAX_NOTICE = 500;

/** A whole release. Ends with the record, as failed by {@link ReleaseFailure}, or as cancelled after its clean-up. */
export async function release(input: ReleaseRequest): Promise<ReleaseRecord> {
  const { workflowId, runId } = workflowInfo();
  const identity = { release: workflowId, runId };
  const parsed = ReleaseRequest.safeParse(input);
  if (!parsed.success) {
    const failure = failureOf('invalid-input', z.prettifyError(parsed.error));
    const record = invalidRecord(identity, failure);
    setHandler(recordQuery, () => record);
    throw toTemporalFailure(failure, { record });
  }
  return new Release(new ReleaseState(identity, parsed.data)).execute();
}

class Release {
  private readonly state: ReleaseState;
  private readonly disks: DiskBranches;
  private readonly finish: Finish;
  /** A changed request is being looked at. */
  private replanning = false;
  private ending = false;

  constructor(state: ReleaseState) {
    this.state = state;
    this.disks = new DiskBranches(state);
    this.finish = new Finish(state, this.disks);
    setHandler(recordQuery, () => state.record());
    setHandler(hostSignal, (host) => {
      if (typeof host === 'string') state.addHost(host);
    });
    setHandler(decideUpdate, (input) => this.decide(input), { validator: (input) => state.gate.check(input) });
    setHandler(retryUpdate, (input) => this.retry(input), { validator: (input) => this.checkRetry(input) });
  }

  async execute(): Promise<ReleaseRecord> {
    const { state } = this;
    const end = await settled(this.pipeline());
    const cancelled = CancellationScope.current().consideredCancelled;
    if (!end.ok && !(end.error instanceof ReleaseFailed) && !isCancellation(end.error)) throw end.error;
    await CancellationScope.nonCancellable(async () => {
      this.ending = true;
      state.gate.close();
      await this.disks.stop();
      const cleanedUp = end.ok && end.value === 'released' && this.finish.cleanedUp;
      if (!cleanedUp) await cleanUp(state.identity, state.hosts, state.request.timing);
      await condition(allHandlersFinished);
    });
    if (end.ok) {
      if (end.value === 'released') state.end('released', null);
      await state.notifications.handedOver();
      return state.record();
    }
    if (cancelled && isCancellation(end.error)) {
      state.end('cancelled', this.cancelledWhileTagging());
      throw end.error;
    }
    const failure =
      end.error instanceof ReleaseFailed
        ? end.error.failure
        : failureOf('unexpected', 'a part of it was cancelled alone');
    state.end('failed', failure);
    await state.notifications.handedOver();
    throw toTemporalFailure(failure, { record: fittingRecord(state.record()) });
  }

  private async pipeline(): Promise<'released' | 'unchanged'> {
    const { state } = this;
    state.changed();
    const proof = new CancellationScope();
    const proving = provesEarly(state.request)
      ? settled(proof.run(() => proveSigning(state, state.request)))
      : Promise.resolve(null);
    const resolved = await settled(this.resolveFirst());
    if (!resolved.ok || resolved.value.unchanged) proof.cancel();
    const proven = await proving;
    if (!resolved.ok) throw resolved.error;
    state.adopt({ request: state.request, resolved: resolved.value });
    if (state.request.tellParent) this.tellParentOfHold();
    const image = new ImageBranch(state, proven);
    for (;;) {
      const plan = state.plan!;
      if (plan.resolved.unchanged) return this.unchanged(plan.resolved.unchanged);
      await this.disks.retireOutdated(plan.resolved.imageInputs);
      if (!(await image.run(plan))) continue;
      if (!(await this.disks.run(plan))) continue;
      if (await this.finish.run(plan)) return 'released';
    }
  }

  /** The nightly run does not wait for a person. It may have ended: what it is told is of use to it only. */
  private tellParentOfHold(): void {
    const { parent } = workflowInfo();
    if (!parent) return;
    const tell = async () => {
      await condition(() => this.state.status === 'held');
      const { failure } = this.state.record();
      const { kind, message, stage } = failure ?? failureOf('unexpected', 'it is held');
      const notice = { kind, message: lastBytes(message, MAX_NOTICE), stage };
      await getExternalWorkflowHandle(parent.workflowId, parent.runId).signal(heldSignal, notice);
    };
    void settled(tell());
  }

  /** There is nothing yet that a hold could keep: what resolve rejects fails the release. */
  private async resolveFirst(): Promise<ResolveResult> {
    const { state } = this;
    try {
      return await runStage(state, { name: 'resolve', subject: 'release' }, null, () => this.resolve(state.request));
    } catch (error) {
      throw error instanceof StageFailed ? new ReleaseFailed(error.failure) : error;
    }
  }

  private resolve(request: ReleaseRequest): Promise<ResolveResult> {
    const options = controlOptions(request.timing, `resolve ${request.repository}:${request.tag}`);
    return proxyActivities<ActivitiesOn<'control'>>(options).resolve({ ...this.state.identity, request });
  }

  /** The earlier record's facts under this release's name. */
  private async unchanged(earlier: ReleaseRecord): Promise<'unchanged'> {
    const { state } = this;
    await this.disks.stop();
    const reason = state.plan?.resolved.reason;
    const why = reason === undefined ? {} : { reason };
    state.end('unchanged', null, { ...earlier, ...state.identity, status: 'unchanged', failure: null, ...why });
    return 'unchanged';
  }

  /** Runs before the update is accepted: what it throws writes nothing to the history. */
  private checkRetry(input: RetryInput): void {
    const parsed = RetryInput.safeParse(input);
    if (!parsed.success) throw refused(failureOf('invalid-input', z.prettifyError(parsed.error)));
    const { state } = this;
    if (state.heldBranches.length === 0 || this.ending) {
      const remedy = 'look at it with `flightline status RELEASE`';
      throw refused(failureOf('invalid-input', `nothing is held: the release is ${state.status}`, { remedy }));
    }
    if (this.replanning) throw refused(failureOf('invalid-input', 'another retry is being looked at'));
    const { request } = parsed.data;
    const refusal = request && refusalOf(state.request, request);
    if (refusal) throw refused(refusal);
  }

  private async retry({ request }: RetryInput): Promise<RetryResult> {
    if (request) await this.replan(request);
    return { resumed: this.state.resume() };
  }

  private decide(input: Decision): Decided {
    const decided = this.state.gate.decide(input);
    this.state.resume();
    return decided;
  }

  private async replan(request: ReleaseRequest): Promise<void> {
    const { state } = this;
    this.replanning = true;
    try {
      const resolved = await this.resolve(request);
      if (this.ending) throw refused(failureOf('invalid-input', `the release has ended meanwhile: ${state.status}`));
      // Where files are kept was said to `flightline run`, not in the spec.
      const { keepFiles } = state.request;
      state.adopt({ request: { ...request, keepFiles }, resolved });
    } catch (error) {
      if (error instanceof ActivityFailure) throw refused(failureFrom(error, 'resolve'));
      throw error;
    } finally {
      this.replanning = false;
    }
  }

  /** What stands, or may stand, although the release was cancelled; null when no tag had moved. */
  private cancelledWhileTagging(): Failure | null {
    const { moved, maybeMoved, request } = this.state;
    if (moved.length === 0 && maybeMoved.length === 0) return null;
    const message =
      moved.length > 0
        ? `cancelled when these tags had been moved: ${moved.join(', ')}`
        : `cancelled while these tags were being moved, and some may stand: ${maybeMoved.join(', ')}`;
    return failureOf('unexpected', message, {
      stage: 'tag',
      remedy: `start the release of ${request.repository}:${request.tag} again, or delete these tags`,
    });
  }
}

/**
 * Whether it is proved in the first workflow task that the key signs: an hour is not spent before that is known. Where
 * most likely nothing is made, the image branch asks once it is known that something is; releases that began with older
 * code asked first.
 */
function provesEarly({ rebuild }: ReleaseRequest): boolean {
  return rebuild === undefined || !patched('proof-when-needed');
}

function refused(failure: Failure): ApplicationFailure {
  return toTemporalFailure(failure, failure);
}

/** The record of a release whose request could not even be read. */
function invalidRecord(identity: { release: string; runId: string }, failure: Failure): ReleaseRecord {
  return {
    schemaVersion: 1,
    ...identity,
    status: 'failed',
    image: { reference: identity.release.replace(/^release\//, ''), digest: null, verified: false },
    disks: [],
    inputs: null,
    stages: [],
    failure,
  };
}
