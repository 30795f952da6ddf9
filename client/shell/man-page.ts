/** Manual pages in man(7)'s language. Pure. */
import type { DescribedVerb } from './described-verbs.ts';

/** What a page says besides its verb. */
interface Manual {
  version: string;
  /** Exit codes with what they mean, as `flightline --help` ends with. */
  exitCodes: readonly (readonly [code: string, meaning: string])[];
}

/** The page of a verb, with those of its family. */
export function verbPage(verb: DescribedVerb, manual: Manual): string {
  const name = `flightline-${verb.name}`;
  return page(name, verb.summary, manual, [
    ['SYNOPSIS', `.B flightline ${text(verb.name)}\n${text(verb.usage)}`],
    ['DESCRIPTION', text(verb.description)],
    ...(verb.arguments.length === 0 ? [] : [argumentsPart(verb)]),
    ...(verb.inner.length === 0 ? [optionsPart(verb)] : []),
    ...verb.inner.map((inner): Part => [
      inner.name.toUpperCase(),
      [
        `.B flightline ${text(inner.name)}\n${text(inner.usage)}\n.PP\n${text(inner.description)}`,
        ...inner.arguments.map((one) => item(one.name, one.description)),
        ...inner.options.map((one) => item(one.flags, one.description)),
      ].join('\n'),
    ]),
    ['EXAMPLES', verb.examples.map((line) => `.nf\n$ ${text(line)}\n.fi`).join('\n')],
    ['SEE ALSO', '.BR flightline (1)'],
  ]);
}

/** The page of the command itself: its verbs by their headings. */
export function commandPage(description: string, verbs: readonly DescribedVerb[], manual: Manual): string {
  const groups = grouped(verbs);
  return page('flightline', 'bootable container images, from a Containerfile to published disks', manual, [
    ['SYNOPSIS', '.B flightline\n.I VERB\n[options]'],
    ['DESCRIPTION', text(description)],
    ...[...groups].map(([group, members]): Part => [
      group.replace(/:$/, '').toUpperCase(),
      members.map(({ name, summary }) => item(`flightline-${name}(1)`, summary)).join('\n'),
    ]),
    [
      'ENVIRONMENT',
      [
        item('TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE', 'where Temporal is, as its own tools read it'),
        item('FLIGHTLINE_PUBLIC_KEY', 'the public key that verify and fetch take without --key'),
        item('FLIGHTLINE_WEB_UI', "the address of Temporal's Web UI, for links"),
        item('NO_COLOR, FORCE_COLOR, CI', 'no colour; colour also where there is no terminal; nothing is redrawn'),
      ].join('\n'),
    ],
    ['EXIT STATUS', manual.exitCodes.map(([code, meaning]) => item(code, meaning)).join('\n')],
  ]);
}

type Part = readonly [heading: string, body: string];

function page(name: string, summary: string, { version }: Manual, parts: readonly Part[]): string {
  const head = `.TH ${name.toUpperCase().replaceAll('-', String.raw`\-`)} 1 "" "flightline ${version}" "flightline"`;
  const all: Part[] = [['NAME', `${text(name)} \\- ${text(summary)}`], ...parts];
  return `${[head, ...all.map(([heading, body]) => `.SH ${text(heading)}\n${body}`)].join('\n')}\n`;
}

function argumentsPart(verb: DescribedVerb): Part {
  return ['ARGUMENTS', verb.arguments.map((one) => item(one.name, one.description)).join('\n')];
}

function optionsPart(verb: DescribedVerb): Part {
  return ['OPTIONS', verb.options.map((one) => item(one.flags, one.description)).join('\n')];
}

function item(term: string, description: string): string {
  return `.TP\n.B ${text(term)}\n${text(description)}`;
}

/** A backslash begins an escape, a hyphen is one that may be typed, and a dot or quote at a line's start a request. */
function text(words: string): string {
  return words
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll(/^[.']/gm, String.raw`\&$&`);
}

function grouped(verbs: readonly DescribedVerb[]): Map<string, DescribedVerb[]> {
  const groups = new Map<string, DescribedVerb[]>();
  for (const verb of verbs) groups.set(verb.group, [...(groups.get(verb.group) ?? []), verb]);
  return groups;
}
