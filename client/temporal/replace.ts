/** `flightline run --replace`: ends the run of the same release that is under way. */
import { isFinal } from '../../model/release/stage.ts';
import { REQUEST_TIMEOUT, type Temporal } from './connection.ts';
import { UserError } from '../terminal/errors.ts';
import { follow } from './follow.ts';
import type { Output } from '../terminal/output.ts';
import { referenceOf } from './release-name.ts';
import { openRelease, type ReleaseReader } from './release-view.ts';

/**
 * Cancels a release that runs or is held, and waits until its hosts are cleaned up. Does nothing when there is none. How it ends
 * does not matter: if it is released after all, the tag policy of the next run decides.
 *
 * @throws Interrupted when the signal is aborted; the cancellation goes on then.
 */
export async function endRunning(
  temporal: Temporal,
  release: string,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const reader = await openIfKnown(temporal, release);
  if (!reader || isFinal((await reader.read()).record.status)) return;
  await temporal.within(REQUEST_TIMEOUT, () => temporal.client.workflow.getHandle(release, reader.runId).cancel());
  output.note(`cancelling the run of ${referenceOf(release)} that is under way; waiting for its clean-up`);
  const { status } = await follow(reader, output, { until: 'final', signal });
  output.note(`the former run has ended: ${status}`);
}

async function openIfKnown(temporal: Temporal, release: string): Promise<ReleaseReader | undefined> {
  try {
    return await openRelease(temporal, release);
  } catch (error) {
    if (error instanceof UserError && error.kind === 'unknown-release') return undefined;
    throw error;
  }
}
