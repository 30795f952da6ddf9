/** `flightline up`: the embedded stack in the foreground. */
import { resolve } from 'node:path';
import type { Stack } from '../../workers/stack/start.ts';
import { explain } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { Interrupted, interruptible, withStop } from '../terminal/pause.ts';
import { describeStack, stackDocument, startToldStack, untilInterrupted } from '../terminal/stack-runner.ts';

/** Options of `flightline up`. */
export interface UpOptions {
  /** An existing registry, instead of one of the stack's own. */
  registry?: string | undefined;
  /** Directory of its state. */
  data: string;
  /** Makes the example images and puts them into the stack's own registry. */
  examples: boolean;
}

/** Runs the stack until Ctrl-C or SIGTERM, which is its ordinary end (exit code 0). */
export async function up(options: UpOptions, output: Output): Promise<number> {
  return withStop(async (signal) => {
    const stack = await startToldStack(
      {
        directory: resolve(options.data),
        signal,
        ...(options.registry === undefined ? {} : { registry: options.registry }),
      },
      output,
    );
    try {
      // Into somebody's own registry nothing is pushed unasked.
      if (options.examples && options.registry === undefined) await offerExamples(stack, output, signal);
      output.result(['The stack is up; Ctrl-C stops it and keeps its state.', ...describeStack(stack)].join('\n'));
      output.document(stackDocument(stack));
      await untilInterrupted(stack, signal);
    } finally {
      await stack.stop();
    }
    return EXIT.ok;
  });
}

/** The stack serves without its examples too: what fails here is only told. */
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
