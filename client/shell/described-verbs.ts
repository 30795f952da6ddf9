/** The command line as shells and manuals need it, read from the parser. */
import type { Command } from '@commander-js/extra-typings';

/** What a word stands for: one of a few, the name of a file, or anything. */
export type Value = { choices: readonly string[] } | 'file' | 'text';

/** An option; without a value it is a switch. */
interface DescribedOption {
  /** `--tag` */
  long: string;
  /** `--tag <tag>`, as the help has it. */
  flags: string;
  description: string;
  value: { name: string; kind: Value } | null;
}

/** A verb, or one of a family such as `schedule set`. */
export interface DescribedVerb {
  /** `run`; `schedule set` */
  name: string;
  /** The last word of it. */
  word: string;
  summary: string;
  description: string;
  /** `[options] [spec]` */
  usage: string;
  options: DescribedOption[];
  arguments: { name: string; description: string; kind: Value }[];
  /** Its heading in `flightline --help`. */
  group: string;
  examples: readonly string[];
  /** The verbs of a family, by their own names. */
  inner: DescribedVerb[];
}

/** Placeholders that are names of files or directories. */
const FILES = new Set(['file', 'dir', 'spec', 'prefix']);

/** Describes the verbs of a program, in its order. `examplesOf`: what the parser itself does not know. */
export function describeVerbs(
  program: Pick<Command, 'commands'>,
  examplesOf: (name: string) => readonly string[] = () => [],
): DescribedVerb[] {
  return program.commands.map((command) => describeVerb(command as Command, command.name(), examplesOf));
}

function describeVerb(command: Command, name: string, examplesOf: (name: string) => readonly string[]): DescribedVerb {
  const help = command.createHelp();
  const kindOf = (word: string, choices?: readonly string[]): Value =>
    choices && choices.length > 0 ? { choices } : FILES.has(word) ? 'file' : 'text';
  return {
    name,
    word: command.name(),
    summary: command.summary(),
    description: command.description(),
    usage: command.usage(),
    options: help.visibleOptions(command).flatMap((option) => {
      const [, word] = /[<[]([\w-]+)/.exec(option.flags) ?? [];
      const value = word === undefined ? null : { name: word, kind: kindOf(word, option.argChoices) };
      return option.long ? [{ long: option.long, flags: option.flags, description: option.description, value }] : [];
    }),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      description: argument.description,
      kind: kindOf(argument.name(), argument.argChoices),
    })),
    group: command.helpGroup(),
    examples: examplesOf(name),
    inner: command.commands
      .filter((inner) => inner.name() !== 'help')
      .map((inner) => describeVerb(inner as Command, `${name} ${inner.name()}`, examplesOf)),
  };
}

/** A verb and, for a family, its verbs: every one that takes options. */
export function leaves(verbs: readonly DescribedVerb[]): DescribedVerb[] {
  return verbs.flatMap((verb) => (verb.inner.length > 0 ? verb.inner : [verb]));
}
