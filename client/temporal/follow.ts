/** Follows a release to its end, or until it is held, showing its progress. */
import type { ReleaseRecord } from '../../model/release/record.ts';
import { isFinal } from '../../model/release/stage.ts';
import { displayFor } from '../terminal/display.ts';
import { isUnavailable } from '../terminal/errors.ts';
import type { Output } from '../terminal/output.ts';
import { Interrupted, pause } from '../terminal/pause.ts';
import type { ReleaseReader } from './release-view.ts';

/** Milliseconds between two looks. */
const LOOK = 1_000;

/** How long to follow. */
export interface FollowOptions {
  /** `settled` also ends at a hold, where nothing goes on without a person; `final` goes on until the release has ended. */
  until: 'settled' | 'final';
  signal: AbortSignal;
}

/**
 * Follows a release. Temporal may go away for any time: it is looked for until it is back.
 *
 * @throws Interrupted when the signal is aborted.
 */
export async function follow(reader: ReleaseReader, output: Output, options: FollowOptions): Promise<ReleaseRecord> {
  const display = displayFor(output);
  let away = false;
  let mayWake = true;
  const ended = reader.ended().then(() => void (mayWake = false));
  try {
    for (;;) {
      if (options.signal.aborted) throw new Interrupted();
      try {
        const view = await reader.read();
        if (away) display.note('Temporal answers again');
        away = false;
        display.show(view);
        const { status } = view.record;
        if (isFinal(status) || (status === 'held' && options.until === 'settled')) return view.record;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        if (!away)
          display.note('Temporal does not answer; the release goes on without this command, which keeps trying');
        away = true;
      }
      // Once: what ended the wait may have been Temporal going away.
      await (mayWake ? Promise.race([pause(LOOK, options.signal), ended]) : pause(LOOK, options.signal));
    }
  } finally {
    display.close();
  }
}
