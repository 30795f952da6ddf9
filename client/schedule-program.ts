/** The command line of `flightline schedule`: its verbs, options and help. */
import type { Command } from 'commander';
import type { Handlers } from './handlers.ts';
import type { Act, JsonFlag } from './verb.ts';

const REPOSITORY = ['<repository>', "the image's repository, such as quay.io/acme/edge-camera"] as const;

/** Adds the verbs below `schedule`. */
export function addScheduleCommand(schedule: Command, handlers: Handlers, act: Act): void {
  const verb = (name: string, description: string) => schedule.command(name).description(description);

  verb('set', 'make or change the schedule of a spec')
    .argument('[spec]', 'the spec', 'flightline.yaml')
    .option('--cron <cron>', "when: minute, hour, day of month, month, day of week; replaces the spec's schedule.cron")
    .option('--time-zone <zone>', "the time zone of cron; replaces the spec's schedule.timeZone")
    .option('--public-context', 'send the context even if it holds private keys and anybody can read its repository')
    .option('--json', 'print JSON')
    .action((spec: string, { json, ...options }: JsonFlag & { cron?: string; timeZone?: string }) =>
      act({ json }, (output) => handlers.scheduleSet(spec, options, output)),
    );

  verb('list', 'list the schedules')
    .option('--json', 'print JSON')
    .action((options: JsonFlag) => act(options, (output) => handlers.scheduleList(output)));

  verb('show', 'show what its runs did and why, when it runs next, and what would change now')
    .argument(...REPOSITORY)
    .option('--json', 'print JSON')
    .action((name: string, options: JsonFlag) => act(options, (output) => handlers.scheduleShow(name, output)));

  verb('pause', 'let no run begin until it is resumed')
    .argument(...REPOSITORY)
    .requiredOption('--note <text>', 'why, for whoever looks at it')
    .option('--json', 'print JSON')
    .action((name: string, { json, note }: JsonFlag & { note: string }) =>
      act({ json }, (output) => handlers.schedulePause(name, { note }, output)),
    );

  verb('resume', 'let runs begin again')
    .argument(...REPOSITORY)
    .option('--json', 'print JSON')
    .action((name: string, options: JsonFlag) => act(options, (output) => handlers.scheduleResume(name, output)));

  verb('trigger', 'begin a run now, also while it is paused')
    .argument(...REPOSITORY)
    .option('--json', 'print JSON')
    .action((name: string, options: JsonFlag) => act(options, (output) => handlers.scheduleTrigger(name, output)));

  verb('delete', 'delete the schedule; what runs goes on, and releases stay')
    .argument(...REPOSITORY)
    .option('--json', 'print JSON')
    .action((name: string, options: JsonFlag) => act(options, (output) => handlers.scheduleDelete(name, output)));
}
