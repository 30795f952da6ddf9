/** `flightline schedule`: nightly releases, kept by Temporal's schedules. */
import type { ScheduleHandle } from '@temporalio/client';
import {
  makeTemplate,
  repositoryOfSchedule,
  type NightlyInput,
  type NightlyTemplate,
} from '../../model/release/nightly.ts';
import { Cron, TimeZone } from '../../model/spec/schedule.ts';
import type { CheckedSpec } from '../project/checked-spec.ts';
import { awaitControlWorker } from '../temporal/control.ts';
import {
  askComparison,
  clockWarnings,
  describeSchedule,
  keepSchedule,
  scheduleFacts,
  scheduleHandle,
  scheduleInput,
  scheduleRuns,
} from '../temporal/schedule.ts';
import { REQUEST_TIMEOUT, withTemporal } from '../temporal/temporal.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { interruptible } from '../terminal/pause.ts';
import { withInterrupt } from '../terminal/signals.ts';
import { verb, type VerbFamily } from '../verb.ts';
import { renderSchedule, renderSchedules, type ScheduleFacts } from '../view/schedule.ts';

/** Name and help of REPOSITORY. */
const REPOSITORY = ['<repository>', "the image's repository, such as quay.io/acme/edge-camera"] as const;

const set = verb({
  group: 'regular',
  summary: 'make or change the schedule of a spec',
  examples: ['flightline schedule set flightline.yaml --cron "0 2 * * *" --time-zone Europe/Berlin'],
  json: { help: 'print JSON', schemas: ['schedule'] },
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
    // The other verbs of schedules read no spec, and do not wait for what reads one.
    const { checkSpec, sendContextOf } = await import('../project/checked-spec.ts');
    const { advise } = await import('../project/linting.ts');
    const checked = await checkSpec(file, {});
    await advise(checked.loaded, false, output);
    for (const line of checked.warnings) output.note(`warning: ${line}`);
    const { spec } = checked.loaded;
    const cron = chosen('--cron', Cron, options.cron ?? spec.schedule?.cron);
    const timeZone = chosen('--time-zone', TimeZone, options.timeZone ?? spec.schedule?.timeZone ?? 'UTC');
    // Before anything is sent: whether the tags will be tags.
    const draft = await templateOf(checked, checked.facts.context);
    return withTemporal((temporal) =>
      withInterrupt(async (signal) => {
        await awaitControlWorker(temporal, signal);
        const { context } = await interruptible(sendContextOf(checked, options, output), signal);
        const input: NightlyInput = {
          schemaVersion: 1,
          template: checked.loaded.local === null ? draft : await templateOf(checked, context),
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
        const created = await keepSchedule(temporal, input);
        const facts = scheduleFacts(await describeSchedule(temporal, scheduleHandle(temporal, spec.image.repository)));
        const warnings = await clockWarnings(temporal, facts.repository, timeZone);
        for (const line of warnings) output.note(`warning: ${line}`);
        output.result(
          [created ? 'schedule made' : 'schedule changed', ...renderSchedules([facts], output.columns)].join('\n'),
        );
        output.document({ ...facts, created, warnings });
        return EXIT.ok;
      }),
    );
  },
});

const list = verb({
  group: 'regular',
  summary: 'list the schedules',
  examples: ['flightline schedule list'],
  json: { help: 'print JSON', schemas: ['schedules'] },
  syntax: (command) => command,
  async run(_, _options, output) {
    return withTemporal(async (temporal) => {
      const schedules: ScheduleFacts[] = [];
      await temporal.within(REQUEST_TIMEOUT, async () => {
        for await (const { scheduleId: id } of temporal.client.schedule.list()) {
          const repository = repositoryOfSchedule(id);
          if (repository === undefined) continue;
          schedules.push(scheduleFacts(await scheduleHandle(temporal, repository).describe()));
        }
      });
      schedules.sort((left, right) => (left.repository < right.repository ? -1 : 1));
      output.result(renderSchedules(schedules, output.columns).join('\n'));
      output.document({ schedules });
      return EXIT.ok;
    });
  },
});

const show = verb({
  group: 'regular',
  summary: 'show what its runs did and why, when it runs next, and what would change now',
  examples: ['flightline schedule show quay.io/acme/edge-camera'],
  json: { help: 'print JSON', schemas: ['schedule'] },
  syntax: (command) => command.argument(...REPOSITORY),
  async run([repository], _, output) {
    return withTemporal(async (temporal) => {
      const description = await describeSchedule(temporal, scheduleHandle(temporal, repository));
      const facts = scheduleFacts(description);
      const runs = await scheduleRuns(temporal, description);
      const standing = runs.find(({ standing: tag }) => tag !== null)?.standing ?? null;
      const now = await askComparison(temporal, scheduleInput(description).template, standing);
      const shown = { ...facts, runs, now };
      output.result(renderSchedule(shown, output.colour.result, output.columns).join('\n'));
      output.document(shown);
      return EXIT.ok;
    });
  },
});

const pause = verb({
  group: 'regular',
  summary: 'let no run begin until it is resumed',
  examples: ['flightline schedule pause quay.io/acme/edge-camera --note "new base image"'],
  json: { help: 'print JSON', schemas: ['schedule'] },
  syntax: (command) => command.argument(...REPOSITORY).requiredOption('--note <text>', 'why, for whoever looks at it'),
  async run([repository], { note }, output) {
    return change(repository, output, `paused: ${note}`, (handle) => handle.pause(note));
  },
});

const resume = verb({
  group: 'regular',
  summary: 'let runs begin again',
  examples: ['flightline schedule resume quay.io/acme/edge-camera'],
  json: { help: 'print JSON', schemas: ['schedule'] },
  syntax: (command) => command.argument(...REPOSITORY),
  async run([repository], _, output) {
    return change(repository, output, 'resumed', (handle) => handle.unpause());
  },
});

const trigger = verb({
  group: 'regular',
  summary: 'begin a run now, also while it is paused',
  examples: ['flightline schedule trigger quay.io/acme/edge-camera'],
  json: { help: 'print JSON', schemas: ['schedule'] },
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
  json: { help: 'print JSON', schemas: ['schedule-deleted'] },
  syntax: (command) => command.argument(...REPOSITORY),
  async run([repository], _, output) {
    return withTemporal(async (temporal) => {
      const handle = scheduleHandle(temporal, repository);
      await describeSchedule(temporal, handle);
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
    const handle = scheduleHandle(temporal, repository);
    const before = scheduleFacts(await describeSchedule(temporal, handle));
    await temporal.within(REQUEST_TIMEOUT, () => work(handle, before));
    output.result(`${repository}: ${done}`);
    output.document(scheduleFacts(await describeSchedule(temporal, handle)));
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

async function templateOf(checked: CheckedSpec, context: NightlyTemplate['context']): Promise<NightlyTemplate> {
  const { loaded, facts } = checked;
  const made = makeTemplate(loaded.spec, { ...facts, context });
  if (made.ok) return made.template;
  const { invalidSpec, locate } = await import('../project/spec-loading.ts');
  throw invalidSpec(loaded.file, locate(loaded.text, made.problems));
}
