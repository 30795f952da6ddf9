/**
 * The `release` workflow: one run of the pipeline for one `repository:tag`.
 *
 *     resolve ── image (build, push ─┬─ sign, verify) ─────┬─ finish (approval, tags, record)
 *                                    └─ disks, each run alone ─┘
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { z } from 'zod';
import type { ResolveResult } from '../../model/contract/control.ts';
import { failureOf, lastBytes, type Failure } from '../../model/failure/failure.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { ReleaseRequest } from '../../model/spec/request.ts';
import { fittingRecord, ReleaseFailed, StageFailed, toTemporalFailure, unexpectedFailure } from '../failure.ts';
import { heldSignal, hostSignal, recordQuery } from '../signals-and-queries.ts';
import { activities } from '../activities.ts';
import { runStage, settled, type Settled } from '../run-stage.ts';
import { makeDisks, retireOutdated, stopDisks, throwIfFailed } from './disks/disks.ts';
import { finish } from './end/finish.ts';
import { cleanUp } from '../host/clean-up.ts';
import { makeImage, proofFailure, proveSigning } from './image/image.ts';
import { ShownRelease } from './show.ts';
import { takeNextPlan } from './next-plan.ts';
import { newState, releaseStatus, type ReleaseState } from './state.ts';
import { letPeopleSteer } from './steering.ts';
import { recordOf } from './record.ts';

/** Bytes of the message for the nightly run, whose result is one line. */
const MAX_NOTICE = 500;

type Completion = 'released' | 'unchanged';

/** A whole release. Returns the record, fails with {@link ReleaseFailure}, or is cancelled after its clean-up. */
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
  const shown = new ShownRelease(newState(identity, parsed.data));
  const { state } = shown;
  setHandler(recordQuery, () => recordOf(state));
  setHandler(hostSignal, (host) => {
    if (typeof host === 'string') shown.addHost(host);
  });
  const people = letPeopleSteer(shown, (request) => resolve(shown, request));
  const end = await settled(pipeline(shown));
  await CancellationScope.nonCancellable(async () => {
    state.ending = true;
    state.gate.asked = null;
    people.stop();
    await stopDisks(shown);
    const cleanedUp = end.ok && end.value === 'released' && state.cleanedUp;
    if (!cleanedUp) await cleanUp(state.identity, state.hosts, state.request.timing);
    await condition(allHandlersFinished);
  });
  return ended(shown, end);
}

async function pipeline(shown: ShownRelease): Promise<Completion> {
  const { state } = shown;
  shown.changed();
  await resolveFirst(shown);
  for (;;) {
    // The only place where the plan changes. Only disk branches run now, and they follow the plan that they began with.
    takeNextPlan(state);
    const plan = state.plan!;
    const { unchanged } = plan.resolved;
    if (unchanged) return endUnchanged(shown, unchanged);
    throwIfFailed(shown);
    await retireOutdated(shown, plan);
    if ((await makeImage(shown, plan)) === 'outdated') continue;
    if ((await makeDisks(shown, plan)) === 'outdated') continue;
    if ((await finish(shown, plan)) === 'done') return 'released';
  }
}

/**
 * Resolves for the first time, and proves meanwhile that the key can sign. A hold would have nothing to keep yet, so
 * what resolve rejects fails the release.
 */
async function resolveFirst(shown: ShownRelease): Promise<void> {
  const { state } = shown;
  const { request } = state;
  const proof = new CancellationScope();
  // With `when-changed` most likely nothing is made, so the image branch asks for the proof if something is.
  const proving = request.rebuild ? null : settled(proof.run(() => proveSigning(shown, request)));
  const resolved = await settled(resolve(shown, request));
  if (!resolved.ok || resolved.value.unchanged) proof.cancel();
  const proven = await proving;
  if (!resolved.ok) {
    throw resolved.error instanceof StageFailed ? new ReleaseFailed(resolved.error.failure) : resolved.error;
  }
  // A person can fix it, so the image branch is held. A cancelled proof is asked again.
  if (proven && !proven.ok && !isCancellation(proven.error)) state.proof.failure = proofFailure(proven.error);
  state.next = { request, resolved: resolved.value };
  if (request.tellParent) tellParentOfHold(state);
}

/** The stage `resolve`. */
function resolve(shown: ShownRelease, request: ReleaseRequest): Promise<ResolveResult> {
  const worker = activities('control', request.timing, `resolve ${request.repository}:${request.tag}`);
  return runStage(shown, { name: 'resolve', subject: 'release' }, null, () =>
    worker.resolve({ ...shown.state.identity, request }),
  );
}

/** The record of an unchanged release: the facts of the earlier record, and this release's name. */
async function endUnchanged(shown: ShownRelease, earlier: ReleaseRecord): Promise<'unchanged'> {
  const { state } = shown;
  await stopDisks(shown);
  const reason = state.plan?.resolved.reason;
  const why = reason === undefined ? {} : { reason };
  shown.end('unchanged', null, { ...earlier, ...state.identity, status: 'unchanged', failure: null, ...why });
  return 'unchanged';
}

/** Ends the release. Throws only what ends a workflow: the SDK would retry anything else for ever. */
async function ended(shown: ShownRelease, end: Settled<Completion>): Promise<ReleaseRecord> {
  const { state } = shown;
  if (end.ok) {
    if (end.value === 'released') shown.end('released', null);
    await shown.notifications.handedOver();
    return recordOf(state);
  }
  const { error } = end;
  if (isCancellation(error) && CancellationScope.current().consideredCancelled) {
    shown.end('cancelled', cancelledWhileTagging(state));
    throw error;
  }
  const failure =
    error instanceof ReleaseFailed
      ? error.failure
      : isCancellation(error)
        ? failureOf('unexpected', 'a part of it was cancelled alone')
        : unexpectedFailure(error);
  shown.end('failed', failure);
  await shown.notifications.handedOver();
  throw toTemporalFailure(failure, { record: fittingRecord(recordOf(state)) });
}

/** Tells the nightly run, which does not wait for a person. It may have ended already. */
function tellParentOfHold(state: ReleaseState): void {
  const { parent } = workflowInfo();
  if (!parent) return;
  const tell = async () => {
    await condition(() => releaseStatus(state) === 'held');
    const { failure } = recordOf(state);
    const { kind, message, stage } = failure ?? failureOf('unexpected', 'it is held');
    const notice = { kind, message: lastBytes(message, MAX_NOTICE), stage };
    await getExternalWorkflowHandle(parent.workflowId, parent.runId).signal(heldSignal, notice);
  };
  void settled(tell());
}

const DELETE = '`skopeo delete docker://TAG`';

/** Tags that were or may have been moved before the release was cancelled; null when none was. */
function cancelledWhileTagging({ moved, maybeMoved, request }: ReleaseState): Failure | null {
  const perhaps = maybeMoved.filter((name) => !moved.includes(name));
  if (moved.length === 0 && perhaps.length === 0) return null;
  const message = [
    ...(moved.length > 0 ? [`cancelled when these tags had been moved: ${moved.join(', ')}`] : []),
    ...(perhaps.length > 0
      ? [`cancelled while these tags were being moved, and some may stand: ${perhaps.join(', ')}`]
      : []),
  ].join('; ');
  const { repository, tag, tagPolicy } = request;
  const again = `start the release of ${repository}:${tag} again`;
  return failureOf('unexpected', message, {
    stage: 'tag',
    // `create` does not move an existing tag.
    remedy: {
      action: tagPolicy === 'move' ? `${again}, or delete these tags` : `delete these tags (${DELETE}), then ${again}`,
      then: null,
    },
  });
}

/** The record of a release whose request is invalid. */
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
