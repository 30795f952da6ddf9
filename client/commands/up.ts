/** `flightline up`: the embedded stack in the foreground. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Stack } from '../../workers/stack/stack.ts';
import { explain, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { Interrupted, interruptible } from '../terminal/pause.ts';
import { withStop } from '../terminal/signals.ts';
import { verb } from '../verb.ts';
import { describeStack, stackDocument, startToldStack, untilInterrupted } from '../terminal/stack-runner.ts';

export default verb({
  group: 'machine',
  summary: 'run an embedded stack',
  description:
    'Run an embedded stack until Ctrl-C: Temporal with its Web UI, a registry, workers of all roles, a signing key.',
  examples: ['flightline up', 'flightline up --data ~/flightline --registry 127.0.0.1:5000'],
  json: { help: 'print the addresses as JSON once it is up', schemas: ['up'] },

  syntax: (command) =>
    command
      .option('--registry <address>', 'use this registry instead of starting one')
      .option('--data <dir>', 'where its state is kept', '.flightline/stack')
      .option('--worker-config <file>', 'what its workers are granted besides, kept for later starts')
      .option('--no-examples', "do not put the images of examples/debian into the stack's own registry"),

  /** Ctrl-C or SIGTERM is its ordinary end (exit code 0). */
  async run(_, { registry, data, workerConfig, examples }, output) {
    const workerConfiguration = workerConfig === undefined ? undefined : await readGiven(workerConfig);
    return withStop(async (signal) => {
      const stack = await startToldStack({ directory: resolve(data), signal, registry, workerConfiguration }, output);
      try {
        // Into somebody's own registry nothing is pushed unasked.
        if (examples && registry === undefined) await offerExamples(stack, output, signal);
        const told = ['The stack is up; Ctrl-C stops it and keeps its state.', ...describeStack(stack)];
        // The other terminal reads the stack's environment, by which the command has its own name.
        output.result(told.join('\n'), 'asWritten');
        output.document(stackDocument(stack));
        await untilInterrupted(stack, signal);
      } finally {
        await stack.stop();
      }
      return EXIT.ok;
    });
  },
});

async function readGiven(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { message } = error as Error;
    throw new UserError('invalid-input', `the worker configuration cannot be read: ${message}`, 'name another file');
  }
}

/** The stack works without its examples, so a failure is only reported. */
async function offerExamples(stack: Stack, output: Output, signal: AbortSignal): Promise<void> {
  const { publishExampleImages } = await import('../../workers/stack/example-images.ts');
  try {
    await interruptible(
      publishExampleImages(stack, (line) => output.note(line)),
      signal,
    );
  } catch (error) {
    if (error instanceof Interrupted) return;
    const { explanation } = explain(error);
    output.note(`warning: examples/debian cannot be released here: ${explanation.message}\n  ${explanation.remedy}`);
  }
}
