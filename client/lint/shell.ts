/** Which commands a shell text runs. Pure; unbash parses. */
import { forEachChild, parse, type Redirection, type SyntaxNode } from 'unbash';

/** One simple command of a script, its quotes taken off. Expansions stay as they are written: `$HOME/x`. */
export interface Command {
  /** Without its directory, and without `sudo`, `env` and their like before it; empty for `{ …; } > file`. */
  name: string;
  words: string[];
  /** Files that its output goes to. */
  writes: string[];
  /** Where it begins in the text. */
  offset: number;
}

/** Redirections that write a file. */
const WRITING: ReadonlySet<string> = new Set(['>', '>>', '>|', '&>', '&>>', '<>']);
/** Commands that run the command in their words. */
const WRAPPERS = new Set(['sudo', 'env', 'exec', 'command', 'time', 'nice', 'timeout', 'xargs']);
/** Shells, whose script may stand in their words or in a heredoc. */
const SHELLS = new Set(['sh', 'bash', 'dash', 'ash']);

/** Lists the commands of a script in their order, those in substitutions, functions and `sh -c '…'` too. */
export function commandsOf(script: string): Command[] {
  const commands: Command[] = [];
  visit(parse(script));
  return commands.sort((left, right) => left.offset - right.offset);

  function visit(node: SyntaxNode): void {
    if (node.type === 'Command') {
      const words = [node.name, ...node.args].flatMap((word) => (word?.type === 'Word' ? [word.value] : []));
      const made = commandOf(words, node.pos);
      made[0]!.writes.push(...writtenBy(node.redirects));
      commands.push(...made);
      if (SHELLS.has(made[0]!.name)) for (const redirect of node.redirects) readHeredoc(redirect);
    }
    if (node.type === 'Redirected') {
      commands.push({ name: '', words: [], writes: writtenBy(node.redirects), offset: node.pos });
    }
    forEachChild(node, visit);
  }

  function readHeredoc(redirect: Redirection): void {
    if (redirect.type !== 'HereDoc') return;
    const { text, pos } = redirect.body;
    commands.push(...commandsOf(text).map((command) => ({ ...command, offset: command.offset + pos })));
  }
}

/** A command from its words, and what it runs itself; `RUN ["a", "b"]` has them without a shell. */
export function commandOf(given: readonly string[], offset: number): [Command, ...Command[]] {
  const [first = '', ...words] = unwrapped(given);
  const name = baseName(first);
  const option = SHELLS.has(name) ? words.findIndex((word) => /^-[a-z]*c$/.test(word)) : -1;
  const inner = option < 0 ? [] : commandsOf(words[option + 1] ?? '');
  return [{ name, words, writes: [], offset }, ...inner.map((command) => ({ ...command, offset }))];
}

function writtenBy(redirects: readonly Redirection[]): string[] {
  return redirects.flatMap((redirect) =>
    redirect.type === 'Redirect' && WRITING.has(redirect.operator) && redirect.target ? [redirect.target.value] : [],
  );
}

/** Without `sudo -E`, `env A=b` and the like. */
function unwrapped(words: readonly string[]): readonly string[] {
  const [first, ...rest] = words;
  if (first === undefined || !WRAPPERS.has(baseName(first))) return words;
  const next = rest.findIndex((word) => !/^(?:-.*|[A-Za-z_]\w*=.*|\d+[smhd]?)$/.test(word));
  return next < 0 ? [] : unwrapped(rest.slice(next));
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
