/** What the file of a verb says: its help, its arguments and options, and its work. */
import type { Command, OptionValues } from '@commander-js/extra-typings';
import type { SchemaName } from '../model/json-schema.ts';
import type { Output } from './terminal/output.ts';

/** The headings of `flightline --help`, in their order. */
export const GROUPS = {
  project: 'A project:',
  release: 'Releases:',
  tags: 'Approval and tags:',
  regular: 'Regular work:',
  trust: 'Keys and devices:',
  machine: 'Machines:',
} as const;

interface Help {
  group: keyof typeof GROUPS;
  /** One line for `flightline --help`, without a full stop. */
  summary: string;
  /** The first paragraph of its help. Default: the summary. */
  description?: string;
  /** Command lines, each beginning with `flightline`. */
  examples: readonly [string, ...string[]];
}

/** A verb: the default export of `client/commands/<verb>.ts`. */
interface Verb<Args extends unknown[], Options extends OptionValues> extends Help {
  /** What `--json` prints, and its schemas/NAME.schema.json, one or another; a verb without it has no `--json`. */
  json?: { help: string; schemas: readonly [SchemaName, ...SchemaName[]] };
  /** Adds arguments and options. */
  syntax(command: Command): Command<Args, Options>;
  /** Does the work and answers the exit code. */
  run(args: Args, options: Options, output: Output): Promise<number>;
}

/** The options that a verb's `syntax` adds. */
export type OptionsOf<Syntax extends (command: Command) => { opts(): unknown }> = ReturnType<
  ReturnType<Syntax>['opts']
>;

/** A verb whose arguments and options are its own affair. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyVerb = Verb<any[], any>;

/** A group of verbs, such as `schedule`. */
export interface VerbFamily extends Help {
  verbs: Readonly<Record<string, AnyVerb>>;
}

/** A verb as it was typed. */
export interface Call {
  /** `run`, `schedule set` */
  name: string;
  args: unknown[];
  /** Without `--json`. */
  options: Record<string, unknown>;
  json: boolean;
  verb: AnyVerb;
}

/** Declares a verb, so that `run` knows the types of what `syntax` adds. */
export function verb<Args extends unknown[], Options extends OptionValues>(
  made: Verb<Args, Options>,
): Verb<Args, Options> {
  return made;
}

/** Adds the parser of a verb to a program; `act` is called with what was typed. */
export function addVerb(
  parent: Command,
  name: string,
  made: AnyVerb | VerbFamily,
  act: (call: Call) => Promise<void>,
): void {
  const { group, summary, description = `${summary[0]!.toUpperCase()}${summary.slice(1)}.`, examples } = made;
  const command = parent.command(name).summary(summary).description(description);
  const lines = examples.map((line) => `  $ ${line}`);
  command.addHelpText('after', `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.join('\n')}\n`);
  if (!parent.parent) command.helpGroup(GROUPS[group]);
  if ('verbs' in made) {
    for (const [own, inner] of Object.entries(made.verbs)) {
      addVerb(command as Command, own, inner, (call) => act({ ...call, name: `${name} ${own}` }));
    }
    return;
  }
  const full: Command<unknown[], OptionValues> = made.syntax(command as Command);
  if (made.json) full.option('--json', made.json.help);
  full.action(async () => {
    const { json = false, ...options } = full.opts() as Call['options'] & { json?: boolean };
    await act({ name, args: full.processedArgs, options, json, verb: made });
  });
}
