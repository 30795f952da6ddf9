/** One child workflow of a builder run from start to end. */
import { CancellationScope, CancelledFailure, executeChild, isCancellation, sleep } from '@temporalio/workflow';
import { ChildWorkflowFailure, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  BUILDER_RUN_WORKFLOW,
  type BuilderRunInput,
  type BuilderRunResult,
} from '../../../model/contract/workflows.ts';
import type { GateVerdict } from '../../../model/gate/gate.ts';
import { builderRunId } from '../../../model/oci/reference.ts';
import { builderRunSummary } from '../../../model/release/summaries.ts';
import { builderRunFailureFrom, failureFrom, StageFailed } from '../../failure.ts';
import type { ShownRelease } from '../show.ts';
import { resetRows, type RunState } from '../state.ts';

type ChildWorkflow = (input: BuilderRunInput) => Promise<BuilderRunResult>;

/** Executes it, and takes what it tells into the release. @throws StageFailed with the failure of the run */
export async function executeRun(release: ShownRelease, run: RunState, input: BuilderRunInput): Promise<void> {
  const { state, table } = release;
  const { subject } = run.run;
  const workflowId = builderRunId(state.identity.release, subject);
  state.children.set(subject, workflowId);
  resetRows(state, subject);
  table.update('disk-build', subject, { status: 'running', at: Date.now() });
  release.changed();
  const { requestedAt, host } = run;
  const { waivers } = state.gates;
  try {
    const preferredHost = host ?? input.preferredHost;
    const result = await started(workflowId, {
      ...input,
      requestedAt,
      preferredHost,
      ...(waivers.length > 0 && { waivers: [...waivers] }),
    });
    run.result = result;
    noteVerdicts(release, subject, result.gates);
    for (const one of result.hosts) state.hosts.add(one);
    table.merge(result.stages);
    release.changed();
  } catch (error) {
    if (!(error instanceof ChildWorkflowFailure)) throw error;
    if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
    const told = builderRunFailureFrom(error);
    for (const one of told?.hosts ?? []) state.hosts.add(one);
    noteVerdicts(release, subject, told?.gates);
    run.host = told?.hosts.at(-1) ?? run.host;
    if (told) table.merge(told.stages);
    else table.update('disk-build', subject, { status: 'failed', at: Date.now(), attempts: 1 });
    throw new StageFailed(failureFrom(error, 'disk-build'));
  }
}

function noteVerdicts({ state }: ShownRelease, subject: string, verdicts: readonly GateVerdict[] = []): void {
  state.gates.said.set(subject, { of: subject, verdicts });
}

/**
 * Executes the child. Waits for one of an earlier run of the release that still cleans up under the same id.
 */
async function started(workflowId: string, input: BuilderRunInput): Promise<BuilderRunResult> {
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
