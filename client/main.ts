#!/usr/bin/env node
/** The `flightline` command. */
import { keepCompiledCode } from './compile-cache.ts';
import { endAtSignals } from './terminal/signals.ts';

keepCompiledCode();
endAtSignals();

// The reader of a pipe may leave early (`flightline run | head`): nothing more is said, and the exit code stays what
// it is.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const { runCommandLine } = await import('./command-line.ts');
// A program that an interrupted step had started is ended by the exit.
process.exit(await runCommandLine(process.argv.slice(2)));
