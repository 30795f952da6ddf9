/** `flightline prune REPOSITORY`: once, as a dry run, or regularly by a Temporal Schedule. */
import type { Command } from '@commander-js/extra-typings';
import { Option } from '@commander-js/extra-typings';
import { parseDuration } from '../../model/base/duration.ts';
import { PRUNE_REPORT_QUERY, PRUNE_WORKFLOW, pruneId, PruneReport, PruneRequest } from '../../model/release/prune.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { Repository } from '../../model/oci/reference.ts';
import { timingWith } from '../../model/base/timing.ts';
import { REQUEST_TIMEOUT, withTemporal, type Temporal } from '../temporal/temporal.ts';
import { workflowReport } from '../temporal/workflow-report.ts';
import { grpcDetails, isInvalidArgument, isUnknownSchedule, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { verb, type OptionsOf } from '../verb.ts';
import { positiveInteger } from '../terminal/arguments.ts';
import { renderPrune } from '../view/prune.ts';

const syntax = (command: Command) =>
  command
    .argument('<repository>', 'the repository of the OS images, without a tag')
    .option('--keep-last <n>', 'keep so many of the newest releases', positiveInteger, 7)
    .option('--keep-within <time>', 'keep releases younger than this: 12h, 30d', '30d')
    .option('--dry-run', 'only say what would be removed')
    .option('--record-repository <repository>', 'repositories.record of the spec; default is REPOSITORY/release')
    .option('--context-repository <repository>', 'repositories.context of the spec; default is REPOSITORY/context')
    .addOption(
      new Option('--cron <expression>', 'do it regularly, by a Temporal Schedule').conflicts(['dryRun', 'unschedule']),
    )
    .option('--time-zone <zone>', 'in which --cron is meant', 'UTC')
    .addOption(new Option('--unschedule', 'end doing it regularly').conflicts('dryRun'));

type PruneOptions = OptionsOf<typeof syntax>;

export default verb({
  group: 'regular',
  summary: 'remove old releases from the registry',
  description:
    'Remove old releases of a repository with their disks, records, signatures and unused ' +
    'contexts. A release is kept when it is ' +
    'among the newest, or young, or anything else needs one of its digests.',
  examples: [
    'flightline prune quay.io/acme/edge-camera --keep-last 7 --keep-within 30d --dry-run',
    'flightline prune quay.io/acme/edge-camera --cron "0 4 * * 0"',
  ],
  json: { help: 'print what was removed and kept as JSON', schemas: ['prune'] },

  syntax,

  async run([repository], options, output) {
    const request = requestOf(repository, options);
    return withTemporal(async (temporal) => {
      if (options.unschedule) return unschedule(temporal, request, output);
      if (options.cron !== undefined) return schedule(temporal, request, options.cron, options.timeZone, output);
      return once(temporal, request, output);
    });
  },
});

/** The request that options mean. @throws UserError `usage` */
function requestOf(repository: string, options: PruneOptions): PruneRequest {
  const keepWithin = parseDuration(options.keepWithin);
  if (keepWithin === undefined) {
    throw new UserError('usage', `"${options.keepWithin}" is not a time`, 'write --keep-within 12h or 30d');
  }
  for (const name of [repository, options.recordRepository, options.contextRepository]) {
    const problem = name === undefined ? undefined : Repository.safeParse(name).error?.issues[0]?.message;
    if (problem) throw new UserError('usage', `"${name}" ${problem}`, 'name the repository as the spec does');
  }
  return PruneRequest.parse({
    schemaVersion: 1,
    repository,
    recordRepository: options.recordRepository ?? `${repository}/release`,
    contextRepository: options.contextRepository ?? `${repository}/context`,
    keepLast: options.keepLast,
    keepWithin,
    dryRun: options.dryRun ?? false,
    timing: timingWith(),
  });
}

async function once(temporal: Temporal, request: PruneRequest, output: Output): Promise<number> {
  const { repository } = request;
  const asked = {
    type: PRUNE_WORKFLOW,
    id: pruneId(repository),
    request,
    summary: summaryOf(request),
    query: PRUNE_REPORT_QUERY,
    schema: PruneReport,
    running: `${repository} is being pruned already`,
  };
  const report = await workflowReport(temporal, asked, output);
  output.result(renderPrune(report).join('\n'));
  output.document(report);
  return EXIT.ok;
}

function summaryOf({ repository, keepLast, dryRun }: PruneRequest): string {
  return `${dryRun ? 'dry run: ' : ''}prune ${repository}, keep the last ${keepLast}`.slice(0, 200);
}

async function schedule(
  temporal: Temporal,
  request: PruneRequest,
  cron: string,
  timezone: string,
  output: Output,
): Promise<number> {
  const scheduleId = pruneId(request.repository);
  const { schedule: schedules } = temporal.client;
  const action = {
    type: 'startWorkflow' as const,
    workflowType: PRUNE_WORKFLOW,
    taskQueue: CONTROL_QUEUE,
    workflowId: scheduleId,
    args: [request],
    staticSummary: summaryOf(request),
  };
  const spec = { cronExpressions: [cron], timezone };
  // The server's own catch-up window is a year: a prune is not worth that.
  const policies = { overlap: 'SKIP' as const, catchupWindow: '1h' as const };
  try {
    await temporal.within(REQUEST_TIMEOUT, async () => {
      try {
        await schedules.create({ scheduleId, spec, action, policies });
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'ScheduleAlreadyRunning') throw error;
        await schedules.getHandle(scheduleId).update((before) => ({ ...before, spec, action, policies }));
      }
    });
  } catch (error) {
    if (!isInvalidArgument(error)) throw error;
    const remedy = 'write a cron expression such as "0 4 * * 0", and a time zone such as Europe/Berlin';
    throw new UserError('usage', `the server refuses the schedule: ${grpcDetails(error)}`, remedy);
  }
  const description = await temporal.within(REQUEST_TIMEOUT, () => schedules.getHandle(scheduleId).describe());
  const [next] = description.info.nextActionTimes;
  output.result(
    `${request.repository} is pruned by the schedule ${scheduleId}${next ? `, next at ${next.toISOString()}` : ''}.`,
  );
  output.document({ schedule: scheduleId, cron, timeZone: timezone, next: next?.toISOString() ?? null });
  return EXIT.ok;
}

async function unschedule(temporal: Temporal, { repository }: PruneRequest, output: Output): Promise<number> {
  const scheduleId = pruneId(repository);
  try {
    await temporal.within(REQUEST_TIMEOUT, () => temporal.client.schedule.getHandle(scheduleId).delete());
  } catch (error) {
    if (!isUnknownSchedule(error)) throw error;
    throw new UserError('usage', `there is no schedule ${scheduleId}`, 'make one with --cron');
  }
  output.result(`${repository} is no longer pruned regularly.`);
  output.document({ schedule: scheduleId, deleted: true });
  return EXIT.ok;
}
