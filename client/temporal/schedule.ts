/** What the runs of a schedule did, and what one would do now. */
import type { ScheduleDescription } from '@temporalio/client';
import { COMPARE_WORKFLOW, NightlyResult, withLast, type NightlyTemplate } from '../../model/release/nightly.ts';
import { CompareResult } from '../../model/contract/control.ts';
import { REQUEST_TIMEOUT, type Temporal } from './temporal.ts';
import { askControl } from './control.ts';
import { isNotFound, UserError } from '../terminal/errors.ts';
import type { NightlyRun, NowFacts } from '../view/schedule.ts';

/** Milliseconds for a comparison; a git repository and a registry are asked. */
const COMPARE_TIMEOUT = 60_000;

/** The last runs, the newest first: as many as Temporal keeps with a schedule (ten). */
export async function scheduleRuns(temporal: Temporal, { info }: ScheduleDescription): Promise<NightlyRun[]> {
  return Promise.all(
    info.recentActions.toReversed().map(async ({ takenAt, scheduledAt, action }) => ({
      at: takenAt.toISOString(),
      scheduledAt: scheduledAt.toISOString(),
      ...(await outcomeOf(temporal, action.workflow.workflowId, action.workflow.firstExecutionRunId)),
    })),
  );
}

async function outcomeOf(
  temporal: Temporal,
  id: string,
  runId: string,
): Promise<Pick<NightlyRun, 'outcome' | 'release' | 'reason' | 'standing'>> {
  const nothing = { release: null, standing: null };
  try {
    const handle = temporal.client.workflow.getHandle(id, runId, { followRuns: false });
    const { status } = await temporal.within(REQUEST_TIMEOUT, () => handle.describe());
    if (status.name === 'RUNNING') return { ...nothing, outcome: 'running', reason: 'it is under way' };
    if (status.name === 'COMPLETED') {
      const parsed = NightlyResult.safeParse(await temporal.within(REQUEST_TIMEOUT, () => handle.result()));
      if (parsed.success) return parsed.data;
    }
    return { ...nothing, outcome: 'failed', reason: `the run ended in Temporal as ${status.name.toLowerCase()}` };
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return { ...nothing, outcome: 'forgotten', reason: 'Temporal keeps it no more' };
  }
}

/** Asks a control worker. That it cannot be said is an answer too. */
export async function compareNow(
  temporal: Temporal,
  template: NightlyTemplate,
  standing: string | null,
): Promise<NowFacts> {
  const question = {
    workflow: COMPARE_WORKFLOW,
    input: { template: withLast(template, standing) },
    summary: `what a nightly release of ${template.repository} would do`,
  };
  try {
    const { change, reason } = await askControl(temporal, question, CompareResult, COMPARE_TIMEOUT);
    return { change, reason };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const isAway = error.kind === 'no-control-worker';
    return { change: 'unknown', reason: isAway ? 'no control worker answered' : error.message };
  }
}
