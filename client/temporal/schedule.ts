/** Nightly schedules as Temporal keeps them: made, looked up, what their runs did, and what one would do now. */
import type { ScheduleDescription, ScheduleHandle } from '@temporalio/client';
import { clockChanges, unusualTimes } from '../../model/base/clock-changes.ts';
import { CompareResult } from '../../model/contract/control.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { Repository } from '../../model/oci/reference.ts';
import {
  NIGHTLY_WORKFLOW,
  NightlyInput,
  NightlyResult,
  repositoryOfSchedule,
  scheduleId,
  withLast,
  type NightlyTemplate,
} from '../../model/release/nightly.ts';
import { grpcDetails, isInvalidArgument, isNotFound, isUnknownSchedule, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { NightlyRun, NowFacts, ScheduleFacts } from '../view/schedule.ts';
import { askControl } from './control.ts';
import { REQUEST_TIMEOUT, type Temporal } from './temporal.ts';

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
    return { ...nothing, outcome: 'forgotten', reason: 'Temporal no longer keeps it' };
  }
}

/** Asks a control worker. Answers why, if it cannot tell. */
export async function askComparison(
  temporal: Temporal,
  template: NightlyTemplate,
  standing: string | null,
): Promise<NowFacts> {
  const question = {
    about: 'night' as const,
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

/** How late a run may begin that was missed while the server was away (ms). */
const CATCH_UP = 3_600_000;

/**
 * Makes or changes the schedule of a repository; a pause and its note stay.
 *
 * @returns `true` when there was none before
 * @throws UserError `usage` for what the server refuses
 */
export async function keepSchedule(temporal: Temporal, input: NightlyInput): Promise<boolean> {
  const { repository } = input.template;
  const id = scheduleId(repository);
  const options = {
    spec: { cronExpressions: [input.cron], timezone: input.timeZone },
    action: {
      type: 'startWorkflow' as const,
      workflowType: NIGHTLY_WORKFLOW,
      workflowId: id,
      taskQueue: CONTROL_QUEUE,
      args: [input],
      staticSummary: `nightly release of ${repository}`,
    },
    policies: { overlap: 'SKIP' as const, catchupWindow: CATCH_UP },
  };
  try {
    return await temporal.within(REQUEST_TIMEOUT, async () => {
      try {
        await temporal.client.schedule.create({ scheduleId: id, ...options });
        return true;
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'ScheduleAlreadyRunning') throw error;
        // A pause and its note stay.
        await scheduleHandle(temporal, repository).update(({ state }) => ({ ...options, state }));
        return false;
      }
    });
  } catch (error) {
    if (!isInvalidArgument(error)) throw error;
    throw new UserError('usage', `Temporal refuses the schedule: ${grpcDetails(error)}`, 'correct cron or timeZone');
  }
}

/** The schedule of a repository, which may be named by its id. @throws UserError `usage` */
export function scheduleHandle(temporal: Temporal, repository: string): ScheduleHandle {
  const named = repositoryOfSchedule(repository) ?? repository;
  const parsed = Repository.safeParse(named);
  if (parsed.success) return temporal.client.schedule.getHandle(scheduleId(named));
  throw new UserError('usage', `"${repository}" ${parsed.error.issues[0]!.message}`, 'flightline schedule list');
}

/** How it stands. @throws UserError `unknown-schedule` */
export async function describeSchedule(temporal: Temporal, handle: ScheduleHandle): Promise<ScheduleDescription> {
  try {
    return await temporal.within(REQUEST_TIMEOUT, () => handle.describe());
  } catch (error) {
    if (!isUnknownSchedule(error)) throw error;
    throw new UserError(
      'unknown-schedule',
      `there is no schedule ${handle.scheduleId} in Temporal (namespace ${temporal.namespace} at ${temporal.address})`,
      '`flightline schedule list` shows what there is; `flightline schedule set` makes one',
    );
  }
}

/** What its runs are given. @throws UserError `version-mismatch` */
export function scheduleInput({ action, scheduleId: id }: ScheduleDescription): NightlyInput {
  const parsed = NightlyInput.safeParse(action.args?.[0]);
  if (parsed.success) return parsed.data;
  throw new UserError(
    'version-mismatch',
    `the schedule ${id} carries what this version does not know`,
    'set it again: flightline schedule set',
    EXIT.failed,
  );
}

/** The schedule as it is shown. */
export function scheduleFacts(description: ScheduleDescription): ScheduleFacts {
  const { state, info, scheduleId: id } = description;
  const { cron, timeZone, supersede, template } = scheduleInput(description);
  return {
    id,
    repository: template.repository,
    cron,
    timeZone,
    supersede,
    paused: state.paused,
    note: state.note || null,
    context: template.context.kind === 'git' ? `${template.context.url} ${template.context.ref}` : 'sent once',
    tag: template.tag,
    alsoTag: template.alsoTag,
    rebuild: template.rebuild ? 'when-changed' : 'always',
    running: info.runningActions[0]?.workflow.workflowId ?? null,
    leftOut: { overlap: info.numActionsSkippedOverlap, late: info.numActionsMissedCatchupWindow },
    lastAt: info.recentActions.at(-1)?.takenAt.toISOString() ?? null,
    nextAt: state.paused ? null : (info.nextActionTimes[0]?.toISOString() ?? null),
  };
}

const DAY = 24 * 3_600_000;
/** How far ahead (ms): each change of a year. */
const AHEAD = 366 * DAY;

/** A line for each of the next changes on whose day the schedule misses a time of day, or has one twice. */
export async function clockWarnings(temporal: Temporal, repository: string, timeZone: string): Promise<string[]> {
  const now = Date.now();
  const warnings: string[] = [];
  for (const change of clockChanges(timeZone, now, now + AHEAD)) {
    const runs = await matchingTimes(temporal, repository, change - 8 * DAY, change + 8 * DAY);
    const { day, missed, doubled } = unusualTimes(timeZone, change, runs);
    const why = `on ${day} the clocks of ${timeZone} are changed`;
    if (missed.length > 0) warnings.push(`${why}: no run at ${timesInWords(missed)} then`);
    if (doubled.length > 0) warnings.push(`${why}: two runs at ${timesInWords(doubled)} then`);
  }
  return warnings;
}

function timesInWords([first, ...more]: readonly string[]): string {
  return more.length === 0 ? first! : `${first} and ${more.length} other times`;
}

/** When the schedule would run, milliseconds since 1970. */
async function matchingTimes(temporal: Temporal, repository: string, from: number, until: number): Promise<number[]> {
  const { msToTs, tsToMs } = await import('./sdk.ts');
  const { startTime } = await temporal.within(REQUEST_TIMEOUT, () =>
    temporal.client.workflowService.listScheduleMatchingTimes({
      namespace: temporal.namespace,
      scheduleId: scheduleId(repository),
      startTime: msToTs(from),
      endTime: msToTs(until),
    }),
  );
  return (startTime ?? []).map((time) => tsToMs(time));
}
