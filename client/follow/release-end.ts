/** Cancels a release and waits for its clean-up. */
import type { ReleaseRecord } from '../../model/release/record.ts';
import { isFinal } from '../../model/stage/stage.ts';
import { UserError } from '../terminal/errors.ts';
import { Interrupted } from '../terminal/pause.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { REQUEST_TIMEOUT, type Temporal } from '../temporal/temporal.ts';
import { detachable, printEnding } from './ending.ts';
import { followRelease } from './release.ts';
import { referenceOf } from '../temporal/release-name.ts';
import { openRelease, type ReleaseReader } from '../temporal/release/release-view.ts';

/**
 * Cancels a release, shows its clean-up, and answers the exit code.
 *
 * @throws UserError `unknown-release`, or `already-ended` when it ended otherwise.
 */
export async function cancelRelease(
  temporal: Temporal,
  id: string,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const reader = await openRelease(temporal, id);
  const before = (await reader.read()).record;
  if (isFinal(before.status)) return reportEnd(before, true);
  output.note(`cancelling ${referenceOf(id)}; waiting for the clean-up`);
  return detachable(referenceOf(id), async () => reportEnd(await cancelled(temporal, reader, output, signal), false));

  function reportEnd(record: ReleaseRecord, already: boolean): number {
    if (record.status !== 'cancelled') {
      throw new UserError(
        'already-ended',
        `${referenceOf(id)} ${already ? 'had' : 'has'} ended before it could be cancelled: ${record.status}`,
        `flightline status ${referenceOf(id)} shows how`,
        EXIT.failed,
      );
    }
    printEnding(record, temporal, output);
    return EXIT.ok;
  }
}

/**
 * Cancels a running or held release, to make room for another run of it. Does nothing without one. How it
 * ends does not matter: if it is released after all, the tag policy of the next run decides.
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
  output.note(`cancelling the run of ${referenceOf(release)} that is under way; waiting for its clean-up`);
  const { status } = await cancelled(temporal, reader, output, signal).catch((error: unknown) => {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(
      `interrupted: no release was started; the former run of ${referenceOf(release)} is being cancelled all the same`,
      `watch it: flightline watch ${referenceOf(release)}`,
    );
  });
  output.note(`the former run has ended: ${status}`);
}

async function cancelled(temporal: Temporal, reader: ReleaseReader, output: Output, signal: AbortSignal) {
  const handle = temporal.client.workflow.getHandle(reader.release, reader.runId);
  await temporal.within(REQUEST_TIMEOUT, () => handle.cancel());
  return followRelease(reader, output, { until: 'final', signal });
}

async function openIfKnown(temporal: Temporal, release: string): Promise<ReleaseReader | undefined> {
  try {
    return await openRelease(temporal, release);
  } catch (error) {
    if (error instanceof UserError && error.kind === 'unknown-release') return undefined;
    throw error;
  }
}
