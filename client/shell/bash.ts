/** Completion for bash. Pure. */
import { leaves, type DescribedVerb, type Value } from './described-verbs.ts';

/** The script, to be sourced or put where bash-completion looks. It needs nothing but bash. */
export function bashCompletion(verbs: readonly DescribedVerb[]): string {
  const families = verbs.filter(({ inner }) => inner.length > 0);
  const all = leaves(verbs);
  const taken = all.flatMap(({ name, options }) =>
    options.flatMap(({ long, value }) => (value === null ? [] : [{ word: `${name} ${long}`, kind: value.kind }])),
  );
  const given = all.flatMap(({ name, arguments: [first] }) => [{ word: name, kind: first?.kind ?? 'text' }]);
  return `# bash completion of flightline: . <(flightline completion bash)
_flightline() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} verb=\${COMP_WORDS[1]} words=''
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${verbs.map(({ name }) => name).join(' ')} --help --version' -- "$current"))
    return
  fi
  case $verb in
${families.map(familyCase).join('\n')}
  esac
  case "$verb $before" in
${cases(taken, '    ')}
  esac
  if [[ $current == -* ]]; then
    case $verb in
${all.map(({ name, options }) => `      '${name}') words='${options.map(({ long }) => long).join(' ')}' ;;`).join('\n')}
    esac
  else
    case $verb in
${cases(given, '      ')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o bashdefault -o default -F _flightline flightline
`;
}

function familyCase({ name, inner }: DescribedVerb): string {
  const names = inner.map(({ word }) => word).join(' ');
  return `    ${name})
      if ((COMP_CWORD == 2)); then
        COMPREPLY=($(compgen -W '${names} --help' -- "$current"))
        return
      fi
      verb="$verb \${COMP_WORDS[2]}"
      ;;`;
}

/** One line for all that leads to the same. */
function cases(words: readonly { word: string; kind: Value }[], indent: string): string {
  const byResult = new Map<string, string[]>();
  for (const { word, kind } of words) {
    const result = wordsOf(kind);
    byResult.set(result, [...(byResult.get(result) ?? []), `'${word}'`]);
  }
  return [...byResult].map(([result, known]) => `${indent}${known.join(' | ')}) ${result} ;;`).join('\n');
}

/** What a word may be; bash itself completes names of files where nothing else was found, unless it is told not to. */
function wordsOf(kind: Value): string {
  if (kind === 'file') return 'return';
  if (kind === 'text') return 'compopt +o bashdefault +o default; return';
  return `COMPREPLY=($(compgen -W '${kind.choices.join(' ')}' -- "$current")); return`;
}
