/** Where a command's words go: results on stdout, everything else on stderr, so that a pipe gets the result only. */
import { isatty } from 'node:tty';

/** The streams of a command, and what they can show. */
export interface Output {
  /** `true` for `--json`: one JSON document on stdout and nothing else there. */
  readonly json: boolean;
  /** stderr is a terminal: live progress may be redrawn there. */
  readonly live: boolean;
  /** Colour on stdout and on stderr. */
  readonly colour: { result: boolean; progress: boolean };
  /** Prints a result for people; nothing with `--json`. */
  result(text: string): void;
  /** Prints the JSON document; nothing without `--json`. */
  document(value: unknown): void;
  /** Progress, notes and warnings. */
  note(text: string): void;
}

/** `true` where colour is wanted: a terminal, and neither NO_COLOR (https://no-color.org) nor a dumb terminal. */
export function wantsColour(isTerminal: boolean, environment: NodeJS.ProcessEnv): boolean {
  return isTerminal && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb';
}

/** The output of this process. */
export function processOutput(options: { json?: boolean | undefined } = {}): Output {
  const json = options.json === true;
  const live = isatty(2) && process.env['TERM'] !== 'dumb';
  return {
    json,
    live,
    colour: { result: wantsColour(isatty(1), process.env), progress: wantsColour(isatty(2), process.env) },
    result: (text) => void (json || process.stdout.write(`${text}\n`)),
    document: (value) => void (json && process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)),
    note: (text) => void process.stderr.write(`${text}\n`),
  };
}
