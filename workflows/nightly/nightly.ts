/**
 * The `nightly` workflow: a thin one that a schedule starts. It computes the tags, sees whether there is anything to
 * do, and starts the release as a child of its own under its canonical id, which outlives it.
 */
import {
  CancellationScope,
  condition,
  isCancellation,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import {
  ActivityFailure,
  ChildWorkflowFailure,
  defineSearchAttributeKey,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import { lastBytes } from '../../model/failure/failure.ts';
import { RELEASE_WORKFLOW } from '../../model/contract/workflows.ts';
import {
  expandNightly,
  HeldNotice,
  nameOf,
  nightlyReleaseId,
  NightlyInput,
  NightlyResult,
  withLast,
} from '../../model/release/nightly.ts';
import type { CompareResult } from '../../model/contract/control.ts';
import { releaseIdFrom } from '../../model/oci/reference.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { failureFrom, parseInput } from '../failure.ts';
import { heldSignal } from '../signals-and-queries.ts';
import type { release } from '../release/release.ts';
import { activities } from '../activities.ts';
import { settled } from '../run-stage.ts';
import { releaseAttributes, releaseSummary } from '../../model/release/summaries.ts';
import { showDetails } from '../details.ts';

/** Set by the server on what a schedule starts (Temporal documentation, "Schedule", search attributes). */
const SCHEDULED_AT = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');

/** Longest reason (bytes as JSON) in a result: it is one line of a list. */
const MAX_REASON = 700;
/** How often a release is asked whether it has made room, `timing.retryMaximum` apart at most. */
const ROOM_TRIES = 30;

/** One run. It ends with its result also when the release failed: the next night must know what there was. */
export async function nightly(input: NightlyInput): Promise<NightlyResult> {
  return new Nightly(parseInput(NightlyInput, input), lastResult()).run();
}

/** What the run before ended with; null for the first one. */
function lastResult(): NightlyResult | null {
  const parsed = NightlyResult.safeParse(workflowInfo().lastResult);
  return parsed.success ? parsed.data : null;
}

/** The time that the schedule meant, which is not when the run began if it had to catch up. */
function scheduledAt(): string {
  const { typedSearchAttributes, startTime } = workflowInfo();
  return (typedSearchAttributes.get(SCHEDULED_AT) ?? startTime).toISOString();
}

type ReleaseHandle = ChildWorkflowHandle<typeof release>;

class Nightly {
  private readonly input: NightlyInput;
  private readonly last: NightlyResult | null;
  private readonly at = scheduledAt();
  private held: HeldNotice | null = null;
  /** Releases that were held, and are ended for this run. */
  private readonly ended = new Set<string>();
  private standing: string | null;

  constructor(input: NightlyInput, last: NightlyResult | null) {
    this.input = input;
    this.last = last;
    this.standing = last?.standing ?? null;
    setHandler(heldSignal, (notice) => {
      const parsed = HeldNotice.safeParse(notice);
      if (parsed.success) this.held = parsed.data;
    });
  }

  async run(): Promise<NightlyResult> {
    this.show('comparing with the last release');
    const compared = await settled(this.compare());
    if (!compared.ok) return this.failed(compared.error);
    const { change, reason, commit, standing } = compared.value;
    this.standing = standing ?? this.standing;
    if (change === 'none') return this.end('unchanged', this.standingName(), reason);
    const expanded = expandNightly(this.input.template, { at: this.at, commit, standing: this.standing });
    if (!expanded.ok) return this.end('failed', null, expanded.failure.message);
    const request: ReleaseRequest = { ...expanded.request, tellParent: true };
    if (this.last?.outcome === 'held' && this.last.release !== null) await this.makesRoom(this.last.release);
    return this.release(request, reason);
  }

  private compare(): Promise<CompareResult> {
    const { template } = this.input;
    const { workflowId, runId } = workflowInfo();
    const worker = activities('control', template.timing, 'compare with the last release');
    return worker.compare({ release: workflowId, runId, template: withLast(template, this.standing), at: this.at });
  }

  /** Ends a release if it is held; `true` once it is being ended for this run. */
  private async makesRoom(name: string): Promise<boolean> {
    const id = releaseIdFrom(name);
    if (!this.input.supersede || id === undefined) return false;
    if (this.ended.has(name)) return true;
    const { timing } = this.input.template;
    const worker = activities('control', timing, `end ${name} if it is held`);
    const answer = await settled(worker.supersede({ release: id, runId: workflowInfo().runId, timing }));
    if (!answer.ok) {
      if (!(answer.error instanceof ActivityFailure) || isCancellation(answer.error)) throw answer.error;
      return false;
    }
    if (answer.value.cancelled) this.ended.add(name);
    return answer.value.cancelled;
  }

  private async release(request: ReleaseRequest, reason: string): Promise<NightlyResult> {
    const name = nameOf(request);
    const started = await this.start(request, reason);
    if (!started) return this.end('already-running', name, `a release of ${name} is under way, or held`);
    this.show(`releasing ${name}: ${reason}`);
    const ended = settled(started.result());
    // Of a cancelled run the release is cancelled too, and its end is waited for.
    const held = condition(() => this.held !== null).then(
      () => null,
      () => ended,
    );
    const first = await Promise.race([ended, held]);
    if (first === null) {
      const { stage, kind, message } = this.held!;
      return this.end('held', name, `${reason}; held at ${stage ?? 'a stage'} (${kind}): ${message}`);
    }
    if (!first.ok) return this.failed(first.error, name);
    const { status, image } = first.value;
    this.standing = image.reference.slice(image.reference.lastIndexOf(':') + 1);
    const unchanged = status === 'unchanged';
    const why = unchanged ? (first.value.reason ?? reason) : reason;
    return this.end(unchanged ? 'unchanged' : 'released', image.reference, why);
  }

  /** Starts the release; null when one of the same name is under way. A held one is ended first if that is wished. */
  private async start(request: ReleaseRequest, reason: string): Promise<ReleaseHandle | null> {
    const name = nameOf(request);
    let pause = request.timing.retryInitial;
    for (let tries = 0; ; tries++) {
      try {
        return await this.startOnce(request, reason);
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        if (tries === ROOM_TRIES || !(await this.makesRoom(name))) return null;
        await sleep(pause, { summary: `until ${name} has made room` });
        pause = Math.min(2 * pause, request.timing.retryMaximum);
      }
    }
  }

  private startOnce(request: ReleaseRequest, reason: string): Promise<ReleaseHandle> {
    return startChild<typeof release>(RELEASE_WORKFLOW, {
      workflowId: nightlyReleaseId(request),
      args: [request],
      parentClosePolicy: 'ABANDON',
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      typedSearchAttributes: releaseAttributes(request),
      staticSummary: releaseSummary(request),
      staticDetails: `Started by \`${workflowInfo().workflowId}\`: ${reason}`,
    });
  }

  private standingName(): string | null {
    return this.standing === null ? null : nameOf({ repository: this.input.template.repository, tag: this.standing });
  }

  /** A failure is a result; that this run is cancelled is none. */
  private failed(error: unknown, name: string | null = null): NightlyResult {
    if (CancellationScope.current().consideredCancelled) throw error;
    if (isCancellation(error) && name !== null) return this.end('failed', name, 'the release was cancelled');
    if (!(error instanceof ActivityFailure) && !(error instanceof ChildWorkflowFailure)) throw error;
    const { kind, message } = failureFrom(error, 'resolve');
    return this.end('failed', name, `${kind}: ${message}`);
  }

  private end(outcome: NightlyResult['outcome'], release: string | null, reason: string): NightlyResult {
    this.show(`${outcome}: ${reason}`);
    return { outcome, release, reason: lastBytes(reason, MAX_REASON), standing: this.standing };
  }

  private show(text: string): void {
    showDetails(text);
  }
}
