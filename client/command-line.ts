/** One call of the command, from its arguments to its exit code. The only place that maps errors to what is printed. */
import { CommanderError } from '@commander-js/extra-typings';
import { codeFiles } from '../activities/tools/package-root.ts';
import { errorText, explain, UserError, type Explained } from './terminal/errors.ts';
import { EXIT } from './terminal/exit-codes.ts';
import { asTyped } from './terminal/as-typed.ts';
import { processOutput } from './terminal/output.ts';
import { createProgram } from './verbs.ts';

/**
 * Runs the command line. Everything is printed; the exit code is answered.
 *
 * @param given without the program's own name.
 */
export async function runCommandLine(given: readonly string[]): Promise<number> {
  // `help run` is `run --help`.
  const args = given[0] === 'help' ? [...given.slice(1), '--help'] : [...given];
  let code: number = EXIT.ok;
  let said = '';
  let spec: string | undefined;
  try {
    const program = await createProgram(args, {
      act: async ({ name, verb, args: words, options, json }) => {
        // Hints such as `retry --spec FILE` name the spec that was given.
        spec = (options['spec'] ?? (name === 'run' ? words[0] : undefined)) as string | undefined;
        code = await verb.run(words, options, processOutput({ json, spec }));
      },
      writeErr: (text) => (said += text),
    });
    if (args.length === 0) {
      program.outputHelp();
      return EXIT.usage;
    }
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    // A verb family such as `schedule` was typed alone: commander's message is its help.
    if (error instanceof CommanderError && error.code === 'commander.help') {
      process.stdout.write(said);
      return EXIT.usage;
    }
    const explained = explain(error instanceof CommanderError ? usageError(error, helpOf(args)) : error);
    printError(explained, args.includes('--json'), spec);
    return explained.exitCode;
  }
}

/** commander's error in the form of every other one. `help`: where a person finds what is right. */
export function usageError(error: CommanderError, help: string): UserError {
  return new UserError('usage', error.message.replace(/^error: /, '').trim(), help);
}

function helpOf([typed = '']: readonly string[]): string {
  return codeFiles('client/commands').includes(typed)
    ? `\`flightline ${typed} --help\` shows what it takes`
    : '`flightline --help` shows the verbs, `flightline VERB --help` what one takes';
}

/** With `--json` stdout has the error as a document. stderr has it for people either way. */
export function printError(explained: Explained, json: boolean, spec?: string): void {
  if (json) process.stdout.write(`${JSON.stringify({ error: explained.explanation }, null, 2)}\n`);
  process.stderr.write(`${asTyped(errorText(explained), spec)}\n`);
}
