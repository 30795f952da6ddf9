/** `flightline schedule`: nightly releases, kept by Temporal's schedules. */
import type { ScheduleDescription, ScheduleHandle } from '@temporalio/client';
import {
  makeTemplate,
  NIGHTLY_WORKFLOW,
  NightlyInput,
  repositoryOfSchedule,
  scheduleId,
  type NightlyTemplate,
} from '../../model/release/nightly.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { Repository } from '../../model/oci/reference.ts';
import { Cron, TimeZone } from '../../model/spec/schedule.ts';
import { REQUEST_TIMEOUT, withTemporal, type Temporal } from '../temporal/temporal.ts';
import { awaitControlWorker } from '../temporal/control.ts';
import { grpcDetails, isInvalidArgument, isUnknownSchedule, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { advise } from '../project/linting.ts';
import type { Output } from '../terminal/output.ts';
import { withInterrupt } from '../terminal/pause.ts';
import { verb, type VerbFamily } from '../verb.ts';
import { checkSpec, sendContextOf, type CheckedSpec } from '../project/preparation.ts';
import { compareNow, scheduleRuns } from '../temporal/schedule.ts';
import { invalidSpec, locate } from '../project/spec-loading.ts';
import { renderSchedule, renderSchedules, type ScheduleFacts } from '../view/schedule.ts';

/** Name and help of REPOSITORY. */
const REPOSITORY = ['<repository>', "the image's repository, such as quay.io/acme/edge-camera"] as const;
/** How late a run may begin that was missed while the server was away (ms). */
const CATCH_UP = 3_600_000;

const set = verb({
  group: 'regular',
  summary: 'make or change the schedule of a spec',
  examples: ['flightline schedule set flightline.yaml --cron "0 2 * * *" --time-zone Europe/Berlin'],
  json: 'print JSON',
  syntax: (command) =>
    command
      .argument('[spec]', 'the spec', 'flightline.yaml')
      .option(
        '--cron <cron>',
        "when: minute, hour, day of month, month, day of week; replaces the spec's schedule.cron",
      )
      .option('--time-zone <zone>', "the time zone of cron; replaces the spec's schedule.timeZone")
      .option('--public-context', 'send the context even if it holds private keys and anybody can read its repository'),
  async run([file], options, output) {
    const checked = await checkSpec(file, {});
    await advise(checked.loaded, false, output);
    for (const line of checked.warnings) output.note(`warning: ${line}`);
    const { spec } = checked.loaded;
    const cron = chosen('--cron', Cron, options.cron ?? spec.schedule?.cron);
    const timeZone = chosen('--time-zone', TimeZone, options.timeZone ?? spec.schedule?.timeZone ?? 'UTC');
    // Before anything is sent: whether the tags will be tags.
    const draft = templateOf(checked, checked.facts.context);
    return withTemporal((temporal) =>
      withInterrupt(async (signal) => {
        await awaitControlWorker(temporal, signal);
        const { context } = await sendContextOf(checked, options, output);
        const input: NightlyInput = {
          schemaVersion: 1,
          template: checked.loaded.local === null ? draft : templateOf(checked, context),
          cron,
          timeZone,
          supersede: spec.schedule?.supersede ?? false,
        };
        if (checked.loaded.local !== null) {
          output.note(
            'the context was sent now, and every run uses it as it is: after a change `flightline ' +
              'schedule set` again, ' +
              'or name a git repository in image.context',
          );
        }
        const created = await keep(temporal, input);
        const facts = factsOf(await describe(temporal, handleOf(temporal, spec.image.repository)));
        output.result([created ? 'schedule made' : 'schedule changed', ...renderSchedules([facts])].join('\n'));
        output.document({ ...facts, created });
        return EXIT.ok;
      }),
    );
  },
});

const list = verb({
  group: 'regular',
  summary: 'list the schedules',
  examples: ['flightline schedule list'],
  json: 'print JSON',
  syntax: (command) => command,
  async run(_, _options, output) {
    return withTemporal(async (temporal) => {
      const schedules: ScheduleFacts[] = [];
      await temporal.within(REQUEST_TIMEOUT, async () => {
        for await (const { scheduleId: id } of temporal.client.schedule.list()) {
          const repository = repositoryOfSchedule(id);
          if (repository === undefined) continue;
          schedules.push(factsOf(await handleOf(temporal, repository).describe()));
        }
      });
      schedules.sort((left, right) => (left.repository < right.repository ? -1 : 1));
      output.result(renderSchedules(schedules).join('\n'));
      output.document({ schedules });
      return EXIT.ok;
    });
  },
});

const show = verb({
  group: 'regular',
  summary: 'show what its runs did and why, when it runs next, and what would change now',
  examples: ['flightline schedule show quay.io/acme/edge-camera'],
  json: 'print JSON',
  syntax: (command) => command.argument(...REPOSITORY),
  async run([repository], _, output) {
    return withTemporal(async (temporal) => {
      const description = await describe(temporal, handleOf(temporal, repository));
      const facts = factsOf(description);
      const runs = await scheduleRuns(temporal, description);
      const standing = runs.find(({ standing: tag }) => tag !== null)?.standing ?? null;
      const now = await compareNow(temporal, inputOf(description).template, standing);
      const shown = { ...facts, runs, now };
      output.result(renderSchedule(shown, output.colour.result).join('\n'));
      output.document(shown);
      return EXIT.ok;
    });
  },
});

const pause = verb({
  group: 'regular',
  summary: 'let no run begin until it is resumed',
  examples: ['flightline schedule pause quay.io/acme/edge-camera --note "new base image"'],
  json: 'print JSON',
  syntax: (command) => command.argument(...REPOSITORY).requiredOption('--note <text>', 'why, for whoever looks at it'),
  async run([repository], { note }, output) {
    return change(repository, output, `paused: ${note}`, (handle) => handle.pause(note));
  },
});

const resume = verb({
  group: 'regular',
  summary: 'let runs begin again',
  examples: ['flightline schedule resume quay.io/acme/edge-camera'],
  json: 'print JSON',
  syntax: (command) => command.argument(...REPOSITORY),
  async run([repository], _, output) {
    return change(repository, output, 'resumed', (handle) => handle.unpause());
  },
});

const trigger = verb({
  group: 'regular',
  summary: 'begin a run now, also while it is paused',
  examples: ['flightline schedule trigger quay.io/acme/edge-camera'],
  json: 'print JSON',
  syntax: (command) => command.argument(...REPOSITORY),
  async run([repository], _, output) {
    return change(repository, output, 'a run begins', async (handle, { running }) => {
      if (running !== null) {
        throw new UserError(
          'already-running',
          `a run of ${repository} is under way: ${running}`,
          `see how it stands: flightline schedule show ${repository}`,
          EXIT.alreadyRunning,
        );
      }
      await handle.trigger('SKIP');
    });
  },
});

const remove = verb({
  group: 'regular',
  summary: 'delete the schedule; what runs goes on, and releases stay',
  examples: ['flightline schedule delete quay.io/acme/edge-camera'],
  json: 'print JSON',
  syntax: (command) => command.argument(...REPOSITORY),
  async run([repository], _, output) {
    return withTemporal(async (temporal) => {
      const handle = handleOf(temporal, repository);
      await describe(temporal, handle);
      await temporal.within(REQUEST_TIMEOUT, () => handle.delete());
      output.result(`${repository}: schedule deleted; its releases stay`);
      output.document({ repository, deleted: true });
      return EXIT.ok;
    });
  },
});

const family: VerbFamily = {
  group: 'regular',
  summary: 'release by itself, every night',
  description:
    "Let Temporal release a project by itself at the times of its spec's `schedule`; one schedule for each repository.",
  examples: [
    'flightline schedule set flightline.yaml --cron "0 2 * * *" --time-zone Europe/Berlin',
    'flightline schedule show quay.io/acme/edge-camera',
  ],
  verbs: { set, list, show, pause, resume, trigger, delete: remove },
};
export default family;

async function change(
  repository: string,
  output: Output,
  done: string,
  work: (handle: ScheduleHandle, facts: ScheduleFacts) => Promise<void>,
): Promise<number> {
  return withTemporal(async (temporal) => {
    const handle = handleOf(temporal, repository);
    const before = factsOf(await describe(temporal, handle));
    await temporal.within(REQUEST_TIMEOUT, () => work(handle, before));
    output.result(`${repository}: ${done}`);
    output.document(factsOf(await describe(temporal, handle)));
    return EXIT.ok;
  });
}

function chosen(flag: string, schema: typeof Cron, value: string | undefined): string {
  if (value === undefined) {
    throw new UserError(
      'usage',
      'when it is to run is said nowhere',
      `give ${flag} "0 2 * * *", or schedule.cron in the spec`,
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UserError('usage', `${flag}: "${value}" ${parsed.error.issues[0]!.message}`, 'give another value');
}

function templateOf(checked: CheckedSpec, context: NightlyTemplate['context']): NightlyTemplate {
  const { loaded, facts } = checked;
  const made = makeTemplate(loaded.spec, { ...facts, context });
  if (made.ok) return made.template;
  throw invalidSpec(loaded.file, locate(loaded.text, made.problems));
}

/** `true` when there was none before. */
async function keep(temporal: Temporal, input: NightlyInput): Promise<boolean> {
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
        await handleOf(temporal, repository).update(({ state }) => ({ ...options, state }));
        return false;
      }
    });
  } catch (error) {
    if (!isInvalidArgument(error)) throw error;
    throw new UserError('usage', `Temporal refuses the schedule: ${grpcDetails(error)}`, 'correct cron or timeZone');
  }
}

function handleOf(temporal: Temporal, repository: string): ScheduleHandle {
  const named = repositoryOfSchedule(repository) ?? repository;
  const parsed = Repository.safeParse(named);
  if (parsed.success) return temporal.client.schedule.getHandle(scheduleId(named));
  throw new UserError('usage', `"${repository}" ${parsed.error.issues[0]!.message}`, 'flightline schedule list');
}

async function describe(temporal: Temporal, handle: ScheduleHandle): Promise<ScheduleDescription> {
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

function inputOf({ action, scheduleId: id }: ScheduleDescription): NightlyInput {
  const parsed = NightlyInput.safeParse(action.args?.[0]);
  if (parsed.success) return parsed.data;
  throw new UserError(
    'version-mismatch',
    `the schedule ${id} carries what this version does not know`,
    'set it again: flightline schedule set',
    EXIT.failed,
  );
}

function factsOf(description: ScheduleDescription): ScheduleFacts {
  const { state, info, scheduleId: id } = description;
  const { cron, timeZone, supersede, template } = inputOf(description);
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
    lastAt: info.recentActions.at(-1)?.takenAt.toISOString() ?? null,
    nextAt: state.paused ? null : (info.nextActionTimes[0]?.toISOString() ?? null),
  };
}
