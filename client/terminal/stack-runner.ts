/** Starts the embedded stack for `flightline up` and the demo, and says what it does. */
import { startStack } from '../../workers/stack/start.ts';
import type { Stack, StackOptions } from '../../workers/stack/stack.ts';
import { webUiList } from '../../model/base/web-ui.ts';
import type { Output } from './output.ts';
import { Interrupted } from './pause.ts';

/** Starts a stack, telling its starts, deaths and restarts on stderr. */
export async function startToldStack(
  options: Pick<StackOptions, 'directory' | 'registry' | 'signal' | 'workerConfiguration'>,
  output: Output,
): Promise<Stack> {
  let settled = false;
  const started = startStack({
    ...options,
    report: (line) => output.note(line),
    onEvent: (event) => {
      const expected = event.type === 'starting' || event.type === 'stopped' || (event.type === 'ready' && !settled);
      if (!expected) output.note(event.message);
    },
  });
  try {
    return await started;
  } catch (error) {
    throw options.signal?.aborted ? new Interrupted('interrupted: what was started is stopped again') : error;
  } finally {
    settled = true;
  }
}

/** Releases and promotions. */
const HELD = "FlightlineStatus = 'held' AND ExecutionStatus = 'Running'";

/** Where everything of a stack is, and what to do with it. */
export function describeStack(stack: Stack): string[] {
  const { address, namespace, webUi } = stack.temporal;
  return [
    `  Temporal     ${address} (namespace ${namespace})`,
    `  Web UI       ${webUi}`,
    `  what waits   ${webUiList(webUi, namespace, HELD)}`,
    `  registry     ${stack.registry}`,
    `  signing key  release (public key: ${stack.paths.publicKey})`,
    `  logs         ${stack.paths.logs}`,
    '',
    'In another terminal (the first line puts `flightline` on its PATH):',
    `  . ${stack.paths.environment}`,
    '  flightline run path/to/flightline.yaml',
    '  flightline list',
  ];
}

/** The stack as `flightline up --json` prints it. */
export function stackDocument(stack: Stack): object {
  return {
    temporal: stack.temporal,
    registry: stack.registry,
    publicKey: stack.paths.publicKey,
    directory: stack.directory,
    environment: stack.environment,
  };
}

/** Resolves when the signal is aborted; rejects when the stack died by itself. */
export async function untilInterrupted(stack: Stack, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    void stack.failed.then(reject);
  });
}
