/** The end of a release once everything is verified: approval, tags, then the record. */
import { CancelledFailure, isCancellation } from '@temporalio/workflow';
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import type { TagMove } from '../../../model/tags/tag-move.ts';
import type { TagResult } from '../../../model/contract/sign.ts';
import { failureOf } from '../../../model/failure/failure.ts';
import { missingInWords } from '../../../model/release/approval.ts';
import { requestedRuns } from '../../../model/release/stage-table.ts';
import { overMaxUpdate } from '../../../model/oci/update-cost.ts';
import { MAX_WORDS } from '../../../model/tags/shared-tag.ts';
import { askApproval } from '../../approval.ts';
import { failureFrom, mayGoBack, StageFailed } from '../../failure.ts';
import { activities } from '../../activities.ts';
import { runStage, settled } from '../../run-stage.ts';
import { sign, signingAgain } from '../../signing.ts';
import { tellRecorded } from '../../tags/shared-tag.ts';
import { attest } from './attest.ts';
import { untilDone, type BranchEnd } from '../branch.ts';
import { cleanUp, keepLogs } from '../../host/clean-up.ts';
import { signFurther } from '../image/image.ts';
import { signedTags, tagMoves, type Plan } from '../plan.ts';
import type { ShownRelease } from '../show.ts';
import { disksToMake, forgetReused, presentDisks } from '../reused.ts';
import { addMoved, forgetJoined, forgetRun, isOutdated, resetEnd, unpushImage, type ReleaseState } from '../state.ts';
import { publishedRecord } from '../record.ts';

/** What an interrupted tag activity reports. */
const Moved = z.object({ moved: z.array(z.string()) });

/**
 * Moves tags and publishes the record. Returns `outdated` when something must be made again first, or the plan has
 * changed.
 */
export async function finish(release: ShownRelease, plan: Plan): Promise<BranchEnd> {
  const { state } = release;
  const work = async (): Promise<BranchEnd> => {
    if (somethingIsLost(state)) return 'outdated';
    state.cleanedUp = false;
    requireApproval(state, plan);
    if (!(await signFurther(release, plan.request))) {
      sendBack(release, [state.image.push!.digest]);
      return 'outdated';
    }
    const lost = await attest(release, plan);
    if (lost.length > 0) {
      sendBack(release, lost);
      return 'outdated';
    }
    // No host stage follows, so the logs are complete. They are sent while the tags move.
    const logs = keepLogs(state, plan.request);
    let tagged: boolean;
    try {
      tagged = await moveTags(release, plan);
    } finally {
      state.logs = await logs;
    }
    if (!tagged) return 'outdated';
    await recordAndCleanUp(release, plan);
    return 'done';
  };
  return untilDone(release, 'release', work, () => isOutdated(state, plan));
}

/** Whether something that the registry lost must be made again before anything is tagged. */
function somethingIsLost(state: ReleaseState): boolean {
  const { image, runs, request } = state;
  const wanted = requestedRuns(request, disksToMake(state, request));
  return image.push === null || wanted.some(({ subject }) => !runs.has(subject));
}

/** Requires approval of these digests. Other digests need another approval. */
function requireApproval(state: ReleaseState, plan: Plan): void {
  const { request, resolved } = plan;
  const costs = overMaxUpdate(state.image.updates ?? [], request.maxUpdate);
  if (request.approval === undefined && resolved.approval !== true && costs === undefined) return;
  const { subject, digests } = approvalSubject(plan, state.image.push!.digest, presentDisks(state));
  const failure = askApproval(state.gate, subject, digests, costs);
  if (failure) throw new StageFailed(failure);
}

/** `false` when the registry has lost what was to be tagged. */
async function moveTags(release: ShownRelease, plan: Plan): Promise<boolean> {
  const { state, table } = release;
  if (table.row('tag', 'release').status === 'done') return true;
  const { key, timing } = plan.request;
  const moves = tagMoves(plan, state.image.push!.digest, presentDisks(state));
  const shared = moves.filter((move) => isShared(plan, move));
  const own = moves.filter((move) => !shared.includes(move));
  const tag = () =>
    runStage(release, { name: 'tag', subject: 'release' }, null, async () => {
      try {
        const worker = activities('sign', timing, `tag ${plan.request.tag}`);
        const result = await worker.tag({ ...state.identity, key, moves: own, timing });
        if (result.vanished.length > 0 || shared.length === 0) return result;
        addMoved(state, result.moved);
        return await moveShared(state, plan, shared, result);
      } catch (error) {
        noteMoved(state, error, moves);
        throw error;
      }
    });
  const { moved, vanished } = await signingAgain(tag, () => signMoves(release, plan, moves));
  addMoved(state, moved);
  if (vanished.length > 0) sendBack(release, vanished);
  return vanished.length === 0;
}

/**
 * Asks the workflow of each shared tag to move it. A tag that would go back in time stays; the release only gets a
 * warning.
 */
async function moveShared(
  state: ReleaseState,
  { request, resolved }: Plan,
  moves: readonly TagMove[],
  { attempts, moved: own }: TagResult,
): Promise<TagResult> {
  const { repository, tag, recordRepository, key, timing } = request;
  const moved = [...own];
  state.refusedTags.clear();
  for (const move of moves) {
    const worker = activities('control', timing, `move the shared tag ${move.tag}`);
    const result = await worker.moveSharedTag({
      ...state.identity,
      kind: 'release',
      madeBy: state.identity.release,
      // An image taken over from an earlier release keeps its age.
      made: resolved.reuse?.builtAt ?? state.startedAt,
      by: state.gate.approval?.by ?? state.leftOut[0]?.by ?? null,
      why: [`released ${repository}:${tag}`, ...missingInWords(state.leftOut)].join('; ').slice(0, MAX_WORDS),
      allowOlder: false,
      key,
      recordRepository,
      moves: [move],
      timing,
    });
    if (result.vanished.length > 0) return { attempts, moved, vanished: result.vanished };
    if (result.refused === null) moved.push(...result.moved);
    else state.refusedTags.set(move.tag, `${repository}:${move.tag} was not moved: ${result.refused}`);
  }
  return { attempts, moved, vanished: [] };
}

/** Signs what is about to be tagged, unless it is signed already. */
async function signMoves(release: ShownRelease, { request }: Plan, moves: readonly TagMove[]): Promise<void> {
  const { key, timing } = request;
  for (const { repository, digest, tag } of moves) {
    const subject = request.disks.find((disk) => disk.repository === repository)?.type ?? 'image';
    const input = { ...release.state.identity, key, repository, digest, tags: [tag], timing };
    await sign(release, subject, input, `sign ${subject} for ${tag} again`);
  }
}

/** Makes the disks with one of these digests again. A builder run adopts what still exists. */
function redoRuns({ state }: ShownRelease, digests: readonly string[]): void {
  for (const { type, digest } of state.reused.values()) {
    if (digest !== null && digests.includes(digest)) forgetReused(state, [type]);
  }
  for (const [type, { digest }] of state.joined) {
    if (digest !== null && digests.includes(digest)) forgetJoined(state, type);
  }
  for (const [subject, { result }] of state.runs) {
    const lost = result?.disks.some(({ digest }) => digest !== null && digests.includes(digest));
    if (lost) forgetRun(state, subject);
  }
}

/** Sends what the registry lost back to push. */
function sendBack(release: ShownRelease, vanished: readonly string[]): void {
  const { state, table } = release;
  resetEnd(state);
  if (state.image.push && vanished.includes(state.image.push.digest)) unpushImage(state);
  redoRuns(release, vanished);
  if (!mayGoBack(state.lost, 'release')) {
    table.update('tag', 'release', { status: 'failed', at: Date.now() });
    const message = `the registry lost ${vanished.join(', ')} again and again before it could be tagged`;
    throw new StageFailed(failureOf('disk-vanished', message, { stage: 'tag' }));
  }
  release.changed();
}

/**
 * Cleans up early: everything, logs included, is in the registry, and the record needs no host. A release that is held
 * or fails now cleans up again when it ends.
 */
async function recordAndCleanUp(release: ShownRelease, plan: Plan): Promise<void> {
  const { identity, hosts } = release.state;
  const recording = settled(record(release, plan));
  await cleanUp(identity, hosts, plan.request.timing);
  const recorded = await recording;
  if (!recorded.ok) throw recorded.error;
  release.state.cleanedUp = true;
}

async function record(release: ShownRelease, plan: Plan): Promise<void> {
  const { state } = release;
  const { key, repository, recordRepository, alsoTag, tag, timing } = plan.request;
  const further = alsoTag.filter((other) => !state.refusedTags.has(other));
  const digest = state.image.push!.digest;
  const shared = further.length > 0 ? { tags: further, repository, digest } : undefined;
  const { digest: published } = await runStage(release, { name: 'record', subject: 'release' }, null, () =>
    activities('sign', timing, `record ${tag}`).record({
      ...state.identity,
      key,
      timing,
      repository: recordRepository,
      tags: [tag, ...further],
      shared,
      record: publishedRecord(state),
    }),
  );
  if (shared) await tellRecorded(repository, further, { digest, record: published });
}

/** Records what a failed or cancelled tag activity had moved. */
function noteMoved(state: ReleaseState, error: unknown, moves: readonly TagMove[]): void {
  if (!(error instanceof ActivityFailure)) return;
  const { cause } = error;
  const details = cause instanceof ApplicationFailure || cause instanceof CancelledFailure ? cause.details : [];
  const told = (details ?? []).map((detail) => Moved.safeParse(detail)).find((parsed) => parsed.success);
  if (told?.data) addMoved(state, told.data.moved);
  // An attempt that timed out, or an earlier attempt, may have moved some.
  else if (isCancellation(error) || failureFrom(error, 'tag').kind === 'retries-exhausted') {
    state.maybeMoved = moves.map(({ repository, tag }) => `${repository}:${tag}`);
  }
}

function isShared({ request }: Plan, { repository, tag }: TagMove): boolean {
  return repository === request.repository && request.alsoTag.includes(tag);
}

/** What a person approves: everything to be tagged and recorded, with the digests that they see. */
function approvalSubject(
  { request }: Pick<Plan, 'request'>,
  image: string,
  disks: readonly { type: string; digest: string | null }[],
): { subject: string; digests: string[] } {
  const digestOf = (type: string) => disks.find((disk) => disk.type === type)?.digest ?? null;
  const made = request.disks.map(({ type, repository }) => ({ type, repository, digest: digestOf(type) }));
  const { repository, recordRepository } = request;
  return {
    subject: JSON.stringify([repository, image, signedTags(request), made, recordRepository]),
    digests: [image, ...made.flatMap(({ digest }) => digest ?? [])],
  };
}
