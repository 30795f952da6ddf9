/** The end of a release once everything is verified: tags, then the record. */
import type { ActivitiesOn } from '../../model/contract/activities.ts';
import { CancelledFailure, isCancellation, patched, proxyActivities } from '@temporalio/workflow';
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import type { TagMove } from '../../model/tags/tag-move.ts';
import type { TagResult } from '../../model/contract/sign.ts';
import { failureOf } from '../../model/release/failure.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { MAX_WORDS } from '../../model/tags/shared-tag.ts';
import { cleanUp } from './clean-up.ts';
import type { DiskBranches } from './disk-branches.ts';
import { failureFrom, StageFailed } from '../failure.ts';
import { keepLogs } from './keep-logs.ts';
import { controlOptions, signOptions } from '../options.ts';
import { tagMoves, type Plan } from './plan.ts';
import type { ReleaseState } from './release-state.ts';
import { runStage, settled } from './run-stage.ts';
import { tellRecorded } from '../tags/shared-tag.ts';
import { signingAgain } from './sign-again.ts';

/** How often a registry may lose digests before the release is held: each time their branches go back to push. */
const MAX_VANISHED = 3;

/** What an activity that was stopped midway may tell of itself. */
const Moved = z.object({ moved: z.array(z.string()) });

export class Finish {
  private readonly state: ReleaseState;
  private readonly disks: DiskBranches;
  private vanished = 0;
  /** The registry lost what was to be tagged: its branches must run again before anything is. */
  private redo = false;
  private hostsAreClean = false;

  constructor(state: ReleaseState, disks: DiskBranches) {
    this.state = state;
    this.disks = disks;
  }

  /** Whether the last run has cleaned the hosts up too; releases that began with older code do it when they end. */
  get cleanedUp(): boolean {
    return this.hostsAreClean;
  }

  /**
   * Moves tags and publishes the record; `false` when something must be done again before, or another plan took its
   * place.
   */
  async run(plan: Plan): Promise<boolean> {
    const { state } = this;
    this.redo = false;
    const done = await state.untilDone(
      'release',
      async () => {
        this.hostsAreClean = false;
        this.requireApproval(plan);
        // No stage of a host follows: its logs are whole. The registry takes them while the tags are moved.
        const logs = keepLogs(state, plan.request);
        try {
          await this.tag(plan);
        } finally {
          state.keepLogs(await logs);
        }
        if (!this.redo) await this.recordAndCleanUp(plan);
      },
      () => state.plan !== plan || this.redo,
    );
    return done && !this.redo;
  }

  /** What was approved is approved by its digests: with other ones a person is asked again. */
  private requireApproval({ request, resolved }: Plan): void {
    const { state } = this;
    if (request.approval === undefined && resolved.approval !== true) return;
    const disks = [...state.runs.values()].flatMap((run) => run.disks.map(({ digest }) => digest));
    const subject = JSON.stringify([state.image.push!.digest, ...disks, request.tag, ...request.alsoTag]);
    const failure = state.gate.ask(subject);
    if (failure) throw new StageFailed(failure);
  }

  private async tag(plan: Plan): Promise<void> {
    const { state } = this;
    if (state.table.row('tag', 'release').status === 'done') return;
    const { key, timing } = plan.request;
    const disks = [...state.runs.values()].flatMap((run) => run.disks);
    const moves = tagMoves(plan, state.image.push!.digest, disks);
    const shared = sharesTags(plan) ? moves.filter((move) => isShared(plan, move)) : [];
    const own = moves.filter((move) => !shared.includes(move));
    const tag = () =>
      runStage(state, { name: 'tag', subject: 'release' }, null, async () => {
        try {
          const options = signOptions(timing, `tag ${plan.request.tag}`);
          const sign = proxyActivities<ActivitiesOn<'sign'>>(options);
          const result = await sign.tag({ ...state.identity, key, moves: own, timing });
          if (result.vanished.length > 0 || shared.length === 0) return result;
          this.addMoved(result.moved);
          return await this.moveShared(plan, shared, result);
        } catch (error) {
          this.noteMoved(error, moves);
          throw error;
        }
      });
    const { moved, vanished } = await signingAgain(tag, () => this.signAgain(plan, moves));
    this.addMoved(moved);
    if (vanished.length > 0) this.sendBack(vanished);
  }

  /**
   * Asks the workflow of each shared tag to move it. What would go back in time stays: the release is told, and is none
   * the worse.
   */
  private async moveShared(
    { request }: Plan,
    moves: readonly TagMove[],
    { attempts, moved: own }: TagResult,
  ): Promise<TagResult> {
    const { state } = this;
    const { repository, tag, recordRepository, key, timing } = request;
    const moved = [...own];
    state.refusedTags.clear();
    for (const move of moves) {
      const options = controlOptions(timing, `move the shared tag ${move.tag}`);
      const result = await proxyActivities<ActivitiesOn<'control'>>(options).moveSharedTag({
        ...state.identity,
        kind: 'release',
        madeBy: state.identity.release,
        made: state.startedAt,
        by: state.gate.approval?.by ?? null,
        why: `released ${repository}:${tag}`.slice(0, MAX_WORDS),
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

  /** Signs whatever is about to be tagged; what has its signature keeps it. */
  private async signAgain({ request }: Plan, moves: readonly TagMove[]): Promise<void> {
    const { state } = this;
    const { key, timing } = request;
    for (const { repository, digest, tag } of moves) {
      const subject = request.disks.find((disk) => disk.repository === repository)?.type ?? 'image';
      await runStage(state, { name: 'sign', subject }, null, () =>
        proxyActivities<ActivitiesOn<'sign'>>(signOptions(timing, `sign ${subject} for ${tag} again`)).sign({
          ...state.identity,
          key,
          repository,
          digest,
          tags: [tag],
          timing,
        }),
      );
    }
  }

  /** What the registry lost goes back to push. */
  private sendBack(vanished: TagResult['vanished']): void {
    const { state } = this;
    this.redo = true;
    state.table.update('tag', 'release', { status: 'waiting', at: Date.now() });
    if (state.image.push && vanished.includes(state.image.push.digest)) state.unpushImage();
    this.disks.redo(vanished);
    this.vanished += 1;
    if (this.vanished > MAX_VANISHED) {
      this.vanished = 0;
      state.table.update('tag', 'release', { status: 'failed', at: Date.now() });
      const message = `the registry lost ${vanished.join(', ')} again and again before it could be tagged`;
      throw new StageFailed(failureOf('disk-vanished', message, { stage: 'tag' }));
    }
    state.changed();
  }

  /**
   * Everything is in the registry, logs too: no host is needed for the record. A hold or a failure cleans up again at
   * its end.
   */
  private async recordAndCleanUp(plan: Plan): Promise<void> {
    if (!patched('clean-up-beside-record')) return this.record(plan);
    const { identity, hosts } = this.state;
    const recording = settled(this.record(plan));
    await cleanUp(identity, hosts, plan.request.timing);
    const recorded = await recording;
    if (!recorded.ok) throw recorded.error;
    this.hostsAreClean = true;
  }

  private async record(plan: Plan): Promise<void> {
    const { state } = this;
    const { key, repository, recordRepository, alsoTag, tag, timing } = plan.request;
    const further = alsoTag.filter((other) => !state.refusedTags.has(other));
    const digest = state.image.push!.digest;
    const shared = sharesTags(plan) && further.length > 0 ? { tags: further, repository, digest } : undefined;
    const { digest: record } = await runStage(state, { name: 'record', subject: 'release' }, null, () =>
      proxyActivities<ActivitiesOn<'sign'>>(signOptions(timing, `record ${tag}`)).record({
        ...state.identity,
        key,
        timing,
        repository: recordRepository,
        tags: [tag, ...further],
        ...(shared && { shared }),
        record: publishedRecord(state.record()),
      }),
    );
    if (shared) await tellRecorded(repository, further, { digest, record });
  }

  /** Learns what a tag activity that failed or was cancelled had moved. */
  private noteMoved(error: unknown, moves: readonly TagMove[]): void {
    if (!(error instanceof ActivityFailure)) return;
    const { cause } = error;
    const details = cause instanceof ApplicationFailure || cause instanceof CancelledFailure ? cause.details : [];
    const told = (details ?? []).map((detail) => Moved.safeParse(detail)).find((parsed) => parsed.success);
    if (told?.data) this.addMoved(told.data.moved);
    // An attempt that ran out of time, or one before the last, may have moved some.
    else if (isCancellation(error) || failureFrom(error, 'tag').kind === 'retries-exhausted') {
      this.state.maybeMoved = moves.map(({ repository, tag }) => `${repository}:${tag}`);
    }
  }

  private addMoved(moved: readonly string[]): void {
    this.state.moved = [...new Set([...this.state.moved, ...moved])];
  }
}

/** Releases that began with older code move all their tags themselves. */
function sharesTags({ request }: Plan): boolean {
  return request.alsoTag.length > 0 && patched('shared-tags');
}

function isShared({ request }: Plan, { repository, tag }: TagMove): boolean {
  return repository === request.repository && request.alsoTag.includes(tag);
}

/** The record as it is published: its being there is what makes the release complete. */
function publishedRecord(record: ReleaseRecord): ReleaseRecord {
  return {
    ...record,
    status: 'released',
    stages: record.stages.map((row) =>
      row.name === 'record' ? { ...row, status: 'done', attempts: row.attempts + 1, durationMs: 0 } : row,
    ),
  };
}
