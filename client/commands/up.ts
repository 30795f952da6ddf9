/** `flightline up`: the embedded stack in the foreground. */
import { resolve } from 'node:path';
import { EXIT } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { withStop } from '../pause.ts';
import { describeStack, stackDocument, startToldStack, untilInterrupted } from '../stack-runner.ts';

/** Options of `flightline up`. */
export interface UpOptions {
  /** An existing registry, instead of one of the stack's own. */
  registry?: string | undefined;
  /** Directory of its state. */
  data: string;
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
      output.result(['The stack is up; Ctrl-C stops it and keeps its state.', ...describeStack(stack)].join('\n'));
      output.document(stackDocument(stack));
      await untilInterrupted(stack, signal);
    } finally {
      await stack.stop();
    }
    return EXIT.ok;
  });
}
