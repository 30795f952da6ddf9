/** Completion for fish. Pure. */
import type { DescribedVerb, Value } from './described-verbs.ts';

/** The script, to be sourced or put into ~/.config/fish/completions/flightline.fish. */
export function fishCompletion(verbs: readonly DescribedVerb[]): string {
  return `# fish completion of flightline: flightline completion fish | source
complete -c flightline -f
${verbs.flatMap((verb) => verbLines(verb)).join('\n')}
`;
}

function verbLines(verb: DescribedVerb): string[] {
  const seen = `__fish_seen_subcommand_from ${verb.name}`;
  const none = `${seen}; and not __fish_seen_subcommand_from ${verb.inner.map(({ word }) => word).join(' ')}`;
  return [
    line('__fish_use_subcommand', `-a ${verb.name}`, verb.summary),
    ...(verb.inner.length === 0 ? takenBy(verb, seen) : []),
    ...verb.inner.flatMap((inner) => [
      line(none, `-a ${inner.word}`, inner.summary),
      ...takenBy(inner, `${seen}; and __fish_seen_subcommand_from ${inner.word}`),
    ]),
  ];
}

function takenBy({ options, arguments: given }: DescribedVerb, condition: string): string[] {
  return [
    ...options.map(({ long, description, value }) =>
      line(condition, `-l ${long.slice(2)}${value === null ? '' : taken(value.kind)}`, description),
    ),
    ...given.slice(0, 1).flatMap(({ kind, description }) => {
      if (kind === 'text') return [];
      return [line(condition, kind === 'file' ? '-F' : `-a ${quoted(kind.choices.join(' '))}`, description)];
    }),
  ];
}

function taken(kind: Value): string {
  if (kind === 'file') return ' -r -F';
  return kind === 'text' ? ' -x' : ` -x -a ${quoted(kind.choices.join(' '))}`;
}

function line(condition: string, what: string, description: string): string {
  return `complete -c flightline -n ${quoted(condition)} ${what} -d ${quoted(description)}`;
}

/** In single quotes fish reads \`\\\` and \`'\` after a backslash alone. */
function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
}
