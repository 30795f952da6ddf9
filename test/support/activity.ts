/** Runs an activity as a worker would, without a worker. */
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';

/** Sends a heartbeat five times a second. */
const INFO = { attempt: 1, heartbeatTimeoutMs: 2_000 };

/** Failures that a test expects are not worth a warning each. */
const quiet = { logger: new DefaultLogger('ERROR') };

/** The answer or the failure of an activity, and all that it reported. */
export async function runActivity<Input extends unknown[], Result>(
  activity: (...input: Input) => Promise<Result>,
  ...input: Input
): Promise<{ result: Result; heartbeats: Record<string, unknown>[] }> {
  const environment = new MockActivityEnvironment(INFO, quiet);
  const heartbeats: Record<string, unknown>[] = [];
  environment.on('heartbeat', (details) => heartbeats.push(details as Record<string, unknown>));
  const result = (await environment.run(activity, ...input)) as Result;
  return { result, heartbeats };
}

/**
 * Starts an activity; `cancel` asks it to end, as the workflow does (`requested`) or a worker that shuts down
 * (`detach`).
 */
export function startActivity<Input extends unknown[], Result>(
  activity: (...input: Input) => Promise<Result>,
  ...input: Input
): { result: Promise<Result>; cancel: (reason: 'requested' | 'detach') => void } {
  const environment = new MockActivityEnvironment(INFO, quiet);
  const result = environment.run(activity, ...input) as Promise<Result>;
  return {
    result,
    cancel: (reason) =>
      environment.cancel(
        reason === 'requested' ? 'CANCELLED' : 'WORKER_SHUTDOWN',
        new ActivityCancellationDetails(reason === 'requested' ? { cancelRequested: true } : { workerShutdown: true }),
      ),
  };
}
