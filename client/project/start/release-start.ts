/** Starts a release's workflow, with all that operators want to see in the Web UI. */
import { isTemplate } from '../../../model/base/template.ts';
import { RELEASE_WORKFLOW } from '../../../model/contract/workflows.ts';
import { CONTROL_QUEUE } from '../../../model/contract/queue.ts';
import { releaseId } from '../../../model/oci/reference.ts';
import { searchAttribute } from '../../../model/stage/stage.ts';
import type { ReleaseRequest } from '../../../model/spec/request.ts';
import { staticDetails, releaseAttributes, releaseSummary } from '../../../model/release/summaries.ts';
import { describeWorkflow, REQUEST_TIMEOUT, workflowPage, type Temporal } from '../../temporal/temporal.ts';
import { awaitControlWorker } from '../../temporal/control.ts';
import { referenceOf } from '../../temporal/release-name.ts';
import { endRunning } from '../../follow/release-end.ts';
import type { Output } from '../../terminal/output.ts';
import { Interrupted, interruptible } from '../../terminal/pause.ts';
import { alreadyRunning } from './already-running.ts';
import type { Packing } from '../context.ts';
import { sendContextOf, type CheckedSpec } from '../checked-spec.ts';
import { grpcDetails, isInvalidArgument, UserError } from '../../terminal/errors.ts';
import { EXIT } from '../../terminal/exit-codes.ts';

/** A started run. */
interface Started {
  release: string;
  runId: string;
}

const NOT_STARTED = 'interrupted: no release was started';

/**
 * Sends the context of a spec and starts its release. `replace` first cancels a release that is still running.
 *
 * @throws Interrupted before anything is started
 */
export async function startFromSpec(
  temporal: Temporal,
  checked: CheckedSpec,
  options: { publicContext?: boolean; replace?: boolean },
  output: Output,
  signal: AbortSignal,
  packing: Packing | null = null,
): Promise<Started> {
  const { draft, loaded } = checked;
  const { tag } = loaded.spec.image;
  const typed = tag === draft.tag || isTemplate(tag) ? loaded.file : `${loaded.file} --tag ${draft.tag}`;
  const prepare = async () => {
    await awaitControlWorker(temporal, signal);
    // Before anything is sent for nothing; starting it looks again.
    if (!options.replace) await refuseRunning(temporal, releaseId(draft.repository, draft.tag), typed);
    return sendContextOf(checked, options, output, packing);
  };
  const request = await interruptible(prepare(), signal, NOT_STARTED);
  // Only now: a context that cannot be sent must not have cost a running release.
  if (options.replace) await endRunning(temporal, releaseId(request.repository, request.tag), output, signal);
  if (signal.aborted) throw new Interrupted(NOT_STARTED);
  const started = await startRelease(temporal, request, typed);
  output.note(`${request.name}: releasing ${referenceOf(started.release)}`);
  const page = workflowPage(temporal.ui, temporal.namespace, started.release, started.runId);
  if (page) output.note(`  ${page}`);
  return started;
}

/**
 * Starts the release.
 *
 * @throws UserError `already-running` (exit code 6); `no-control-worker` (3) when no control worker ever prepared the
 *   namespace.
 */
async function startRelease(temporal: Temporal, request: ReleaseRequest, spec: string): Promise<Started> {
  const release = releaseId(request.repository, request.tag);
  try {
    const handle = await temporal.within(REQUEST_TIMEOUT, () =>
      temporal.client.workflow.start(RELEASE_WORKFLOW, {
        taskQueue: CONTROL_QUEUE,
        workflowId: release,
        args: [request],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
        typedSearchAttributes: releaseAttributes(request),
        staticSummary: releaseSummary(request),
        staticDetails: staticDetails(request),
      }),
    );
    return { release, runId: handle.firstExecutionRunId };
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError') {
      await refuseRunning(temporal, release, spec);
      throw alreadyRunning(referenceOf(release), false, spec);
    }
    if (isInvalidArgument(error) && /search attribute/i.test(grpcDetails(error))) {
      throw new UserError(
        'no-control-worker',
        `the namespace ${temporal.namespace} is not prepared: ${grpcDetails(error)}`,
        'start a control worker, which prepares it: `flightline worker --role control`',
        EXIT.unavailable,
      );
    }
    throw error;
  }
}

/** @throws UserError `already-running` when a run of the release is under way or held */
async function refuseRunning(temporal: Temporal, release: string, spec: string): Promise<void> {
  const known = await describeWorkflow(temporal, release);
  if (known?.status.name !== 'RUNNING') return;
  const isHeld = known.typedSearchAttributes.get(searchAttribute('FlightlineStatus')) === 'held';
  throw alreadyRunning(referenceOf(release), isHeld, spec);
}
