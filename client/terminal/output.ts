/** Where a command's words go: results on stdout, everything else on stderr, so that a pipe gets the result only. */
import { isatty } from 'node:tty';
import { asTyped } from './as-typed.ts';

/** The streams of a command, and what they can show. */
export interface Output {
  /** `true` for `--json`: one JSON document on stdout and nothing else there. */
  readonly json: boolean;
  /** Live progress may be redrawn on stderr: it is a terminal, and no log of a CI system. */
  readonly live: boolean;
  /** Colour on stdout and on stderr. */
  readonly colour: { result: boolean; progress: boolean };
  /** Characters in a line of stdout; undefined where it is no terminal. */
  readonly columns?: number | undefined;
  /** Prints a result for people; nothing with `--json`. `asWritten`: its commands are typed in another shell. */
  result(text: string, asWritten?: 'asWritten'): void;
  /** Prints the JSON document; nothing without `--json`. */
  document(value: unknown): void;
  /** Progress, notes and warnings. */
  note(text: string): void;
}

/** The output of this process. `spec`: the file that hints to `--spec` mean. */
export function processOutput({ json = false, spec }: { json?: boolean; spec?: string } = {}): Output {
  const { CI: ci, TERM: terminal } = process.env;
  return {
    json,
    live: isatty(2) && terminal !== 'dumb' && (!ci || ci === 'false'),
    colour: { result: wantsColour(1), progress: wantsColour(2) },
    columns: process.stdout.columns,
    result: (text, asWritten) => void (json || process.stdout.write(`${asWritten ? text : asTyped(text, spec)}\n`)),
    document: (value) => void (json && process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)),
    note: (text) => void process.stderr.write(`${asTyped(text, spec)}\n`),
  };
}

/**
 * `true` where colour is wanted: a terminal, and neither NO_COLOR (https://no-color.org) nor a dumb terminal. As for
 * Node itself FORCE_COLOR decides alone: CI systems show colours that a pipe brings.
 */
function wantsColour(descriptor: number): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: none, TERM: terminal } = process.env;
  if (forced !== undefined) return !['0', 'false'].includes(forced);
  return isatty(descriptor) && !none && terminal !== 'dumb';
}
