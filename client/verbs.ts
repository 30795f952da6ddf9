/** The command line. Each file of `commands/` is the verb of its name; only the one that is typed is loaded. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from '@commander-js/extra-typings';
import { addVerb, GROUPS, type AnyVerb, type Call, type VerbFamily } from './verb.ts';
import { codeFiles, codeRoot } from '../activities/tools/package-root.ts';
import { version } from '../activities/tools/version.ts';

/** Written by the build, so that `flightline --help` loads no verb at all. */
const OVERVIEW = join(codeRoot(), 'client/overview.json');

/** Exit codes in words (terminal/exit-codes.ts). */
const EXIT_CODES = [
  ['0', 'done'],
  ['1', 'failed'],
  ['2', 'usage or spec'],
  ['3', 'no Temporal or control worker'],
  ['4', 'held'],
  ['5', 'cancelled'],
  ['6', 'already running'],
  ['130', 'interrupted by Ctrl-C (143 by SIGTERM)'],
] as const;

/** What happens when a verb was typed, and where commander's own words about wrong usage go. */
interface Handling {
  act: (call: Call) => Promise<void>;
  writeErr: (text: string) => void;
}

/** A line of `flightline --help`. */
interface OverviewRow {
  name: string;
  group: keyof typeof GROUPS;
  summary: string;
}

/** The parser for a command line: of the verb that it names, else of all. */
export async function createProgram(args: readonly string[], handling: Handling): Promise<Command> {
  const program = emptyProgram(handling);
  const [typed] = args;
  if (isOverview(args) && existsSync(OVERVIEW)) {
    for (const { name, group, summary } of JSON.parse(readFileSync(OVERVIEW, 'utf8')) as OverviewRow[]) {
      program.command(name).summary(summary).helpGroup(GROUPS[group]);
    }
    return program;
  }
  const names = verbNames();
  const verbs = await loadVerbs(typed !== undefined && names.includes(typed) ? [typed] : names);
  for (const [name, made] of verbs) addVerb(program, name, made, handling.act);
  return program;
}

/** The parser of all verbs with their options, for what describes them. */
export async function fullProgram(): Promise<Command> {
  const program = emptyProgram({ writeErr: () => undefined });
  for (const [name, made] of await loadVerbs(verbNames())) addVerb(program, name, made, async () => undefined);
  return program;
}

/** The manual pages by their file names, for the build. */
export async function manualPages(): Promise<Map<string, string>> {
  const { commandPage, verbPage } = await import('./shell/man-page.ts');
  const { describeVerbs } = await import('./shell/described-verbs.ts');
  const examples = new Map((await loadVerbs(verbNames())).map(([name, made]) => [name, made.examples]));
  const program = await fullProgram();
  const verbs = describeVerbs(program, (name) => examples.get(name) ?? []);
  const manual = { version: version(), exitCodes: EXIT_CODES };
  return new Map([
    ['flightline.1', commandPage(program.description(), verbs, manual)],
    ...verbs.map((one) => [`flightline-${one.name}.1`, verbPage(one, manual)] as const),
  ]);
}

/** The lines of `flightline --help`, for the build. */
export async function verbOverview(): Promise<OverviewRow[]> {
  return (await loadVerbs(verbNames())).map(([name, { group, summary }]) => ({ name, group, summary }));
}

/** `true` for a command line that asks what verbs there are. */
function isOverview(args: readonly string[]): boolean {
  return args.length === 0 || (args.length === 1 && (args[0] === '--help' || args[0] === '-h'));
}

function verbNames(): string[] {
  return codeFiles('client/commands');
}

/** Verbs with their names, in the order of their groups. */
async function loadVerbs(names: readonly string[]): Promise<[string, AnyVerb | VerbFamily][]> {
  const loaded = await Promise.all(
    names.map(async (name): Promise<[string, AnyVerb | VerbFamily]> => {
      const module = (await import(`./commands/${name}.ts`)) as {
        default: AnyVerb | VerbFamily;
      };
      return [name, module.default];
    }),
  );
  const order = Object.keys(GROUPS);
  return loaded.sort(([, left], [, right]) => order.indexOf(left.group) - order.indexOf(right.group));
}

function emptyProgram({ writeErr }: Pick<Handling, 'writeErr'>): Command {
  return new Command('flightline')
    .description(
      'From a Containerfile to signed, verified, published OS and disk images, as durable Temporal workflows.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({ writeErr })
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .addHelpText(
      'after',
      '\nExamples:\n  $ flightline up\n  $ flightline init hello\n  $ flightline run hello\n  $ flightline list\n' +
        '\n`flightline VERB --help` shows what a verb takes.' +
        '\nTemporal is found by the TEMPORAL_* variables and profiles (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ' +
        'TEMPORAL_PROFILE).' +
        `\nExit codes: ${EXIT_CODES.map(([code, meaning]) => `${code} ${meaning}`).join(' · ')}`,
    );
}
