/**
 * The `promotion` workflow: a released name's digests under another name (model/tags/promotion.ts). One at a time for
 * each target.
 */
import type { ActivitiesOn } from '../../model/contract/activities.ts';
import { ActivityFailure } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  metricMeter,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { TagMove } from '../../model/tags/tag-move.ts';
import type { Remedy } from '../../model/failure/remedy.ts';
import { remedyText } from '../../model/failure/remedy-text.ts';
import { failureOf, type Failure } from '../../model/failure/failure.ts';
import { PromotionRequest, type PromotedItem, type Promotion, type PromotionPlan } from '../../model/tags/promotion.ts';
import { counterOf } from '../../model/base/metric.ts';
import { searchAttribute } from '../../model/stage/stage.ts';
import { MAX_WORDS } from '../../model/tags/shared-tag.ts';
import {
  askApproval,
  checkDecision,
  closedGate,
  takeDecision,
  decideUpdate,
  waitsForWord,
  type ApprovalGate,
} from '../approval.ts';
import { failureFrom, mayGoBack, parseInput, ReleaseFailed, toTemporalFailure } from '../failure.ts';
import { activities } from '../activities.ts';
import { settled } from '../run-stage.ts';
import { promotionQuery } from '../signals-and-queries.ts';
import { tellRecorded } from './shared-tag.ts';
import { showDetails } from '../details.ts';

const STATUS = searchAttribute('FlightlineStatus');
const NOT_IN_TIME: Remedy = { action: 'have it approved in time', then: 'start again' };

/**
 * A whole promotion. Ends with what was promoted, or fails with {@link PromotionFailure}; nothing is held but for an
 * approval.
 */
export async function promotion(input: PromotionRequest): Promise<Promotion> {
  return new PromotionRun(parseInput(PromotionRequest, input)).execute();
}

class PromotionRun {
  private readonly request: PromotionRequest;
  private readonly gate: ApprovalGate;
  private readonly startedAt = new Date().toISOString();
  private readonly identity = { release: workflowInfo().workflowId, runId: workflowInfo().runId };
  private state: Promotion;
  /** Tags that have moved, and those that are being moved. */
  private moved: string[] = [];
  private moving: string[] = [];

  constructor(request: PromotionRequest) {
    this.request = request;
    const { source, target } = request;
    const reference = `${target.repository}:${target.tag}`;
    this.gate = closedGate(reference);
    this.state = {
      schemaVersion: 1,
      promotion: this.identity.release,
      runId: this.identity.runId,
      status: 'running',
      source: `${source.repository}:${source.tag}`,
      target: reference,
      key: request.key,
      step: 'reading the record',
      items: [],
      record: null,
      approval: null,
      failure: null,
    };
    setHandler(promotionQuery, () => this.state);
    setHandler(decideUpdate, (decision) => takeDecision(this.gate, decision), {
      validator: (decision) => checkDecision(this.gate, decision),
    });
    this.show({});
  }

  async execute(): Promise<Promotion> {
    const end = await settled(this.promote());
    this.gate.asked = null;
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    if (end.ok) return this.state;
    const { error } = end;
    if (isCancellation(error)) {
      this.show({ status: 'cancelled', step: 'cancelled', failure: this.leftBehind() });
      throw error;
    }
    const ofActivity = error instanceof ActivityFailure ? failureFrom(error, null) : null;
    const reason = error instanceof ReleaseFailed ? error.failure : ofActivity;
    if (!reason) throw error;
    const moved = this.moved.length > 0 ? ` (moved already: ${this.moved.join(', ')})` : '';
    const failure = { ...reason, message: `${reason.message}${moved}` };
    this.show({ status: 'failed', step: 'failed', failure });
    throw toTemporalFailure(failure, { promotion: this.state });
  }

  private async promote(): Promise<void> {
    const { timing } = this.request;
    const control = activities('control', timing, `plan ${this.state.target}`);
    const plan = await control.planPromotion({ request: this.request, timing });
    const items = plan.items.map(({ subject, digest, to }) => {
      const reference = `${to.repository}:${to.tag}`;
      return { subject, reference, digest, verified: false, mounted: null };
    });
    this.show({ key: plan.key, items, step: 'verifying the source' });
    for (const { from, digest, subject } of plan.items) {
      await this.sign(`verify ${subject} of ${from.tag}`).verify({
        ...this.identity,
        key: plan.sourceKey,
        repository: from.repository,
        digest,
        tags: [from.tag],
        timing,
      });
    }
    // Before anything is signed for the new name: what is rejected leaves no signature for it.
    await this.awaitApproval(plan);
    for (const lost = new Map<string, number>(); ;) {
      for (const item of plan.items) await this.publish(plan, item);
      const vanished = await this.move(plan);
      if (vanished.length === 0) break;
      if (!mayGoBack(lost, 'promotion')) {
        throw new ReleaseFailed(failureOf('disk-vanished', `the registry lost ${vanished.join(', ')} again and again`));
      }
    }
    await this.record(plan);
    this.show({ status: 'promoted', step: 'promoted' });
  }

  /** Tags that a cancelled promotion has moved, or may have moved: their workflow does what it was asked to do. */
  private leftBehind(): Failure | null {
    const { moved, moving } = this;
    if (moved.length + moving.length === 0) return null;
    const which = moved.length > 0 ? `moved these tags: ${moved.join(', ')}` : `may have moved: ${moving.join(', ')}`;
    return failureOf('unexpected', `cancelled before its record was written; it ${which}`, {
      remedy: { action: 'start the promotion again, which adopts what is there', then: null },
    });
  }

  private async awaitApproval(plan: PromotionPlan): Promise<void> {
    if (this.request.approval === undefined && !plan.approval) return;
    const digests = plan.items.map(({ digest }) => digest);
    const subject = JSON.stringify([plan.items, plan.recordRepository]);
    const { timing } = this.request;
    const needed = askApproval(this.gate, subject, digests);
    if (!needed) return;
    this.show({ status: 'held', step: 'waiting for approval', failure: needed });
    counterOf(metricMeter, 'flightline_holds_total').add(1, { kind: needed.kind });
    const decided = await condition(() => !waitsForWord(this.gate), timing.holdFor, {
      summary: 'waiting for approval',
    });
    const failure = decided ? askApproval(this.gate, subject, digests) : needed;
    if (failure) throw new ReleaseFailed(decided ? failure : { ...failure, remedy: NOT_IN_TIME });
    this.show({ status: 'running', failure: null, approval: this.gate.approval });
    // The target may be newer by now: what would go back in time must not be signed for its name.
    const again = activities('control', timing, `plan ${this.state.target} again`);
    await again.planPromotion({ request: this.request, timing });
  }

  /** Into the target's repository, signed for its name there and verified; without a tag. */
  private async publish(plan: PromotionPlan, item: PromotedItem): Promise<void> {
    const { timing } = this.request;
    const { subject, digest, to } = item;
    const given = { ...this.identity, key: plan.key, timing };
    this.show({ step: `copying ${subject}` });
    const copies = activities('copy', timing, `copy ${subject} to ${to.repository}`);
    const { mounted } = await copies.promoteCopy({ ...given, item, sourceKey: plan.sourceKey });
    const signing = { ...given, repository: to.repository, digest, tags: [to.tag] };
    this.show({ step: `signing and verifying ${subject}` });
    await this.sign(`sign ${subject} for ${to.tag}`).sign(signing);
    await this.sign(`verify ${subject} for ${to.tag}`).verify(signing);
    const items = this.state.items.map((one) => (one.subject === subject ? { ...one, verified: true, mounted } : one));
    this.show({ items });
  }

  /** Answers what the registry lost meanwhile; then nothing was moved. */
  private async move(plan: PromotionPlan): Promise<string[]> {
    const { request, identity } = this;
    const { timing, target, allowOlder, by, comment } = request;
    this.show({ step: 'moving the tags' });
    const tags = activities('control', timing, `move ${target.tag}`);
    const moves = plan.items.map(({ to, digest }): TagMove => ({
      repository: to.repository,
      tag: to.tag,
      digest,
      expected: to.repository === target.repository ? 'any' : { leftBy: target.repository },
    }));
    this.moving = moves.map(({ repository, tag }) => `${repository}:${tag}`);
    const approver = this.state.approval ? `, approved by ${this.state.approval.by}` : '';
    const { refused, moved, vanished } = await tags.moveSharedTag({
      ...identity,
      kind: 'promotion',
      madeBy: plan.madeBy,
      made: plan.made,
      by,
      why: `promoted ${this.state.source}${approver}${comment === '' ? '' : `: ${comment}`}`.slice(0, MAX_WORDS),
      allowOlder,
      key: plan.key,
      recordRepository: plan.recordRepository,
      moves,
      timing,
    });
    this.moving = [];
    this.moved = moved;
    if (refused === null) return vanished;
    throw new ReleaseFailed(failureOf('back-in-time', `${this.state.target} was not moved: ${refused}`));
  }

  private async record(plan: PromotionPlan): Promise<void> {
    const { request, identity, startedAt: at } = this;
    const { timing, target } = request;
    this.show({ step: 'publishing the record' });
    const records = activities('sign', timing, `record ${target.tag}`);
    const { approval } = this.state;
    const { digest: record } = await records.promoteRecord({ ...identity, request, plan, at, approval, timing });
    this.show({ record });
    await tellRecorded(target.repository, [target.tag], { digest: plan.items.at(-1)!.digest, record });
  }

  private sign(summary: string): ActivitiesOn<'sign'> {
    return activities('sign', this.request.timing, summary);
  }

  private show(change: Partial<Promotion>): void {
    this.state = { ...this.state, ...change };
    // Lists and metrics find what waits. Each is an event in the history; how it ended the server knows.
    const isOpen = change.status === 'held' || change.status === 'running';
    if (isOpen) upsertSearchAttributes([{ key: STATUS, value: change.status! }]);
    const { source, target, status, step, items, failure } = this.state;
    const lines = [
      `**${source}** → **${target}** is **${status}**: ${step}`,
      ...(failure ? [`${failure.message}`, `What to do: ${remedyText(failure, 'promotion', target)}`] : []),
      // A digest in a list would be wider than the page.
      ...items.map((one) => `\`${one.reference}\`${one.verified ? ', verified' : ''}:\n\n\`${one.digest}\``),
    ];
    showDetails(lines.join('\n\n'));
  }
}
