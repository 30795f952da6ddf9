/** The disk branches of a release: a child workflow for each builder run. They run at once, and are held separately. */
import { CancellationScope, CancelledFailure, condition } from '@temporalio/workflow';
import type { BuilderRunInput } from '../../../model/contract/workflows.ts';
import type { Failure } from '../../../model/failure/failure.ts';
import { isOfBranch, requestedRuns, type RequestedRun } from '../../../model/release/stage-table.ts';
import { mayGoBack, StageFailed } from '../../failure.ts';
import { untilDone, verifyReused, type BranchEnd } from '../branch.ts';
import { bootTestOf, builderRunSpace, diskBuildInput, builderRunKey, type Plan } from '../plan.ts';
import type { ShownRelease } from '../show.ts';
import { noImage } from '../image-state.ts';
import { disksToMake, keptResult } from '../reused.ts';
import { pinnedGates } from '../gates/image-gates.ts';
import { executeRun } from './execute-run.ts';
import { joinDisks } from './join.ts';
import { forgetRun, isImageLost, isOutdated, resetRows, type RunState } from '../state.ts';

/** Begins the runs of a pushed image that do not run yet. Runs that the plan does not concern go on. */
export async function beginDisks(release: ShownRelease, plan: Plan): Promise<void> {
  const { state } = release;
  const { runs } = state;
  const wanted = requestedRuns(plan.request, disksToMake(state, plan.request)).map((run) => {
    const input = runInput(release, plan, run);
    return { run, input, key: builderRunKey(input.build, run, { ...plan.request, gates: input.gates }) };
  });
  await retire(release, ({ run, key }) => !wanted.some((one) => one.run.subject === run.subject && one.key === key));
  for (const { run, input, key } of wanted) {
    const before = runs.get(run.subject);
    if (before && before.outcome !== 'again' && before.outcome !== 'image-lost') before.plan = plan;
    else beginOrTakeOver(release, newRun(plan, run, key, before), input);
  }
}

/**
 * Waits until every disk of the plan is published, signed and verified: `outdated` when another plan is to be
 * followed, or the image must be pushed again first.
 *
 * @throws whatever a disk ended the release with
 */
export async function makeDisks(release: ShownRelease, plan: Plan): Promise<BranchEnd> {
  const { state } = release;
  const { runs } = state;
  if ((await verifyReused(release, plan)) === 'outdated') return 'outdated';
  // The image branch pushes it again first.
  if (isImageLost(state)) return 'outdated';
  await beginDisks(release, plan);
  const outcomes = () => [...runs.values()].map(({ outcome }) => outcome);
  const stopped = () => outcomes().some((one) => one === 'failed' || one === 'again' || one === 'image-lost');
  await condition(() => outcomes().every((one) => one === 'done') || stopped() || isOutdated(state, plan));
  throwIfFailed(release);
  if (stopped() || isOutdated(state, plan)) return 'outdated';
  return joinDisks(release, plan);
}

/** @throws whatever a disk ended the release with */
export function throwIfFailed({ state, running }: ShownRelease): void {
  for (const [subject, { outcome }] of state.runs) if (outcome === 'failed') throw running.get(subject)!.error;
}

/** Ends the runs of an image that will be rebuilt, and of disks that are no longer asked for. */
export async function retireOutdated(release: ShownRelease, { request, resolved }: Plan): Promise<void> {
  const subjects = requestedRuns(request, disksToMake(release.state, request)).map(({ subject }) => subject);
  await retire(
    release,
    ({ imageInputs, run }) => imageInputs !== resolved.imageInputs || !subjects.includes(run.subject),
  );
}

/** Cancels all builder runs and waits for their end. */
export async function stopDisks({ running }: ShownRelease): Promise<void> {
  for (const { scope } of running.values()) scope.cancel();
  await Promise.all([...running.values()].map(({ ended }) => ended));
}

async function retire({ state, running }: ShownRelease, outdated: (run: RunState) => boolean): Promise<void> {
  const leaving = [...state.runs.values()].filter(outdated).map(({ run }) => run.subject);
  for (const subject of leaving) running.get(subject)?.scope.cancel();
  await Promise.all(leaving.map((subject) => running.get(subject)?.ended ?? Promise.resolve()));
  for (const subject of leaving) forgetRun(state, subject);
}

/** `before`: the run that it begins again. */
function newRun(plan: Plan, run: RequestedRun, key: string, before?: RunState): RunState {
  const { imageInputs } = plan.resolved;
  return {
    run,
    key,
    imageInputs,
    plan,
    requestedAt: before?.requestedAt ?? new Date().toISOString(),
    host: before?.host ?? null,
    outcome: null,
    result: null,
  };
}

function runInput({ state }: ShownRelease, plan: Plan, run: RequestedRun): BuilderRunInput {
  const { image, identity } = state;
  const { request } = plan;
  const bootTest = bootTestOf(request, run.types);
  const { build, push } = run.platform ? (image.platforms.get(run.platform) ?? noImage()) : image;
  const gates = pinnedGates('disk', plan);
  if (!push || !image.push) throw new Error('a builder run needs a pushed image');
  return {
    ...identity,
    build: diskBuildInput(identity, plan, run, { digest: push.digest, bases: build?.bases }),
    disks: run.disks,
    bootTest,
    ...(gates.length > 0 && { gates }),
    key: request.key,
    // A host that emulates seldom makes disks, and those of its own architecture make them sooner.
    preferredHost: build?.emulated ? null : (build?.host ?? image.push.host),
    exclude: [],
    space: builderRunSpace(build?.size ?? 0, run.types),
    requestedAt: state.startedAt,
    tags: [request.tag],
    keepFiles: request.keepFiles,
  };
}

function beginOrTakeOver(release: ShownRelease, run: RunState, input: BuilderRunInput): void {
  const { state, table } = release;
  const { subject } = run.run;
  const result = keptResult(state.image, run.run);
  if (!result) return begin(release, run, input);
  state.runs.set(subject, { ...run, outcome: 'done', result });
  table.updateAll((row) => isOfBranch(row, subject), { status: 'skipped', at: Date.now() });
}

function begin(release: ShownRelease, run: RunState, input: BuilderRunInput): void {
  const { state, running } = release;
  const { subject } = run.run;
  state.runs.set(subject, run);
  const scope = new CancellationScope();
  const handle = { scope, ended: Promise.resolve(), error: null as unknown };
  running.set(subject, handle);
  const work = () => children(release, run, input);
  handle.ended = scope
    .run(() => untilDone(release, subject, work, () => isOutdated(state, run.plan)))
    .then(
      (end) => {
        // A loss in the registry has been noted already.
        if (end === 'done') run.outcome = 'done';
        else run.outcome ??= 'again';
      },
      (error: unknown) => {
        handle.error = error;
        run.outcome = 'failed';
      },
    );
}

/** Runs child workflows until one succeeds. What the registry lost is made again at once. */
async function children(release: ShownRelease, run: RunState, input: BuilderRunInput): Promise<BranchEnd> {
  const { state } = release;
  for (;;) {
    if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
    const wasVerified = state.image.verified;
    try {
      await executeRun(release, run, input);
      return 'done';
    } catch (error) {
      if (!wasVerified && error instanceof StageFailed && wantsSignature(error.failure)) {
        if ((await imageVerified(release, run)) === 'outdated') return 'outdated';
        continue;
      }
      if (!(error instanceof StageFailed) || !goesBack(release, run, error.failure)) throw error;
      if (error.failure.stage !== 'disk-build') continue;
      run.outcome = 'image-lost';
      return 'outdated';
    }
  }
}

/** The host's own policy lets it pull only what is signed, and the image may be signed in a moment. */
function wantsSignature({ kind, stage }: Failure): boolean {
  return kind === 'signature-rejected' && stage === 'disk-build';
}

/** Waits for it, as nobody who works: a release whose image is held is held. */
async function imageVerified(release: ShownRelease, { run: { subject }, plan }: RunState): Promise<BranchEnd> {
  const { state } = release;
  resetRows(state, subject);
  state.active.delete(subject);
  release.changed();
  await condition(() => state.image.verified || isOutdated(state, plan));
  state.active.add(subject);
  return isOutdated(state, plan) ? 'outdated' : 'done';
}

/** Whether the registry lost the image or what the run had published, and the run may try again by itself. */
function goesBack({ state }: ShownRelease, { run }: RunState, { kind, stage }: Failure): boolean {
  // In `publish` it is the host that lost the file: a person decides whether it is built again.
  return kind === 'disk-vanished' && stage !== 'publish' && mayGoBack(state.lost, run.subject);
}
