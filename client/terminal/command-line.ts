/** One call of the command, from its arguments to its exit code. The only place that maps errors to what is printed. */
import { CommanderError } from 'commander';
import { errorText, explain, UserError, type Explained } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { createProgram } from '../program.ts';

/**
 * Runs the command line. Everything is printed; the exit code is answered.
 *
 * @param args without the program's own name.
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  let code: number = EXIT.ok;
  const program = createProgram((answered) => (code = answered));
  // commander's own words about usage are printed here, in the form of every other error.
  program.configureOutput({ writeErr: () => undefined });
  for (const command of program.commands) command.configureOutput({ writeErr: () => undefined });
  try {
    if (args.length === 0) {
      program.outputHelp();
      return EXIT.usage;
    }
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const explained = explain(error instanceof CommanderError ? usageError(error) : error);
    printError(explained, json);
    return explained.exitCode;
  }
}

/** commander's error in the form of every other one. */
export function usageError(error: CommanderError): UserError {
  const message = error.message.replace(/^error: /, '').trim();
  // `flightline help nonsense` answers with the whole help text as its error.
  return new UserError(
    'usage',
    message === '(outputHelp)' ? 'unknown command' : message,
    '`flightline --help` shows the commands and options',
  );
}

/** With `--json` the error is the document on stdout; what is said on stderr is for people either way. */
export function printError(explained: Explained, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify({ error: explained.explanation }, null, 2)}\n`);
  process.stderr.write(`${errorText(explained)}\n`);
}
