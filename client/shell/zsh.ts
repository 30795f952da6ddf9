/** Completion for zsh. Pure. */
import type { DescribedVerb, Value } from './described-verbs.ts';

/** The script: a file `_flightline` in a directory of `fpath`, or to be sourced after `compinit`. */
export function zshCompletion(verbs: readonly DescribedVerb[]): string {
  return `#compdef flightline
# zsh completion of flightline: source <(flightline completion zsh)
_flightline() {
  local -a verbs
  if ((CURRENT == 2)); then
    verbs=(
${verbs.map((verb) => `      ${described(verb.name, verb.summary)}`).join('\n')}
    )
    _describe -t verbs verb verbs
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${verbs.map(verbCase).join('\n')}
  esac
}
if [[ $funcstack[1] == _flightline ]]; then _flightline; else compdef _flightline flightline; fi
`;
}

function verbCase(verb: DescribedVerb): string {
  if (verb.inner.length === 0) return `    ${verb.name})\n${argumentsOf(verb, '      ')}\n      ;;`;
  return `    ${verb.name})
      if ((CURRENT == 2)); then
        verbs=(
${verb.inner.map((inner) => `          ${described(inner.word, inner.summary)}`).join('\n')}
        )
        _describe -t verbs verb verbs
        return
      fi
      shift words
      ((CURRENT--))
      case $words[1] in
${verb.inner.map((inner) => `        ${inner.word})\n${argumentsOf(inner, '          ')}\n          ;;`).join('\n')}
      esac
      ;;`;
}

function argumentsOf({ options, arguments: given }: DescribedVerb, indent: string): string {
  const lines = [
    ...options.map(({ long, description, value }) => {
      const taken = value === null ? '' : `:${escaped(value.name)}:${action(value.kind)}`;
      return quoted(`${long}[${escaped(description)}]${taken}`);
    }),
    ...given.map(({ name, kind }, index) => quoted(`${index + 1}:${escaped(name)}:${action(kind)}`)),
  ];
  return `${indent}_arguments \\\n${lines.map((line) => `${indent}  ${line}`).join(' \\\n')}`;
}

function action(kind: Value): string {
  if (kind === 'file') return '_files';
  return kind === 'text' ? ' ' : `(${kind.choices.join(' ')})`;
}

function described(name: string, summary: string): string {
  return quoted(`${name}:${summary}`);
}

/** Brackets and colons end a part of what \`_arguments\` is told. */
function escaped(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, String.raw`\$&`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
