/** What people say to a running release: retry, with a changed spec or without, approve, and reject. */
import type { ApplicationFailure } from '@temporalio/common';
import { CancellationScope, setHandler } from '@temporalio/workflow';
import { z } from 'zod';
import type { ResolveResult } from '../../model/contract/control.ts';
import { RetryInput, type RetryResult } from '../../model/contract/workflows.ts';
import { Decision, type Decided } from '../../model/release/approval.ts';
import { failureOf, type Failure } from '../../model/failure/failure.ts';
import type { WaiveInput } from '../../model/gate/gate.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { checkDecision, decideUpdate, takeDecision } from '../approval.ts';
import { StageFailed, toTemporalFailure } from '../failure.ts';
import { retryUpdate } from '../signals-and-queries.ts';
import { checkWaiver, takeWaiver, waiveUpdate } from './gates/waive.ts';
import { leaveOut, presentPlatforms, refusalToLeaveOut, withoutLeftOut } from './missing/left-out.ts';
import { refusalOf } from './plan.ts';
import type { ShownRelease } from './show.ts';
import { resume, releaseStatus } from './state.ts';

/** Listens to people. `resolve` runs the stage for a changed spec. Answers how to stop a resolve that is under way. */
export function letPeopleSteer(
  release: ShownRelease,
  resolve: (request: ReleaseRequest) => Promise<ResolveResult>,
): { stop: () => void } {
  const { state } = release;
  const resolving = new CancellationScope();
  const retry = async ({ request }: RetryInput): Promise<RetryResult> => {
    if (request) await resolving.run(() => planAnew(release, request, resolve));
    return goOn(release);
  };
  setHandler(retryUpdate, retry, { validator: (input) => checkRetry(release, input) });
  const takeWord = (input: Decision): Decided => {
    const decided = input.without ? leaveOut(state, input, input.without) : takeDecision(state.gate, input);
    goOn(release);
    return decided;
  };
  const checkWord = (input: Decision) => {
    requireSettledPlan(release);
    if (!Decision.safeParse(input).data?.without) return checkDecision(state.gate, input);
    const refusal = refusalToLeaveOut(state, input);
    if (refusal) throw refused(refusal);
  };
  setHandler(decideUpdate, takeWord, { validator: checkWord });
  const checkWaive = (input: WaiveInput) => {
    requireSettledPlan(release);
    checkWaiver(state, input);
  };
  setHandler(waiveUpdate, (input) => takeWaiver(release, input), { validator: checkWaive });
  return { stop: () => resolving.cancel() };
}

function goOn(release: ShownRelease): RetryResult {
  const resumed = resume(release.state);
  release.showResumed(resumed);
  return { resumed };
}

/** Runs before the update is accepted: what it throws writes nothing to the history. */
function checkRetry(release: ShownRelease, input: RetryInput): void {
  const parsed = RetryInput.safeParse(input);
  if (!parsed.success) throw refused(failureOf('invalid-input', z.prettifyError(parsed.error)));
  const { state } = release;
  requireSettledPlan(release);
  if (state.holds.size === 0 || state.ending) {
    const remedy = { action: 'look at it with `flightline status RELEASE`', then: null };
    throw refused(failureOf('invalid-input', `nothing is held: the release is ${releaseStatus(state)}`, { remedy }));
  }
  const { request } = parsed.data;
  const wanted = request && presentPlatforms(request, state.leftOut);
  const refusal = wanted && refusalOf(state.request, wanted, [...state.moved, ...state.maybeMoved]);
  if (refusal) throw refused(refusal);
}

/** A word about what may be another thing in a moment is not taken. */
function requireSettledPlan({ state: { resolving, next } }: ShownRelease): void {
  if (!resolving && !next) return;
  throw refused(
    failureOf('invalid-input', 'a changed spec is being looked at: wait until it is taken over or refused', {
      remedy: { action: 'look at it with `flightline status RELEASE`, then say it again', then: null },
    }),
  );
}

/**
 * Resolves a changed spec. The branches meet the new plan when they go on; when it is refused, everything stays held
 * as it was, and whoever looks at the release is told why.
 */
async function planAnew(
  release: ShownRelease,
  request: ReleaseRequest,
  resolve: (request: ReleaseRequest) => Promise<ResolveResult>,
): Promise<void> {
  const { state, table } = release;
  state.resolving = true;
  try {
    const resolved = await resolve(request);
    if (state.ending) throw refused(failureOf('invalid-input', 'the release has ended meanwhile'));
    // Where files are kept was said to `flightline run`, not in the spec.
    const { keepFiles } = state.request;
    state.next = withoutLeftOut({ request: { ...request, keepFiles }, resolved }, state.leftOut);
  } catch (error) {
    if (!(error instanceof StageFailed)) throw error;
    // The plan that was resolved before is still the one that is followed.
    table.update('resolve', 'release', { status: 'done', at: Date.now() });
    state.refusedSpec = error.failure.message;
    throw refused(error.failure);
  } finally {
    state.resolving = false;
    release.changed();
  }
}

function refused(failure: Failure): ApplicationFailure {
  return toTemporalFailure(failure, failure);
}
