/** Follows a release to its end, or until it is held, showing its progress. */
import type { ReleaseRecord } from '../../model/release/record.ts';
import { isFinal } from '../../model/stage/stage.ts';
import { displayFor } from './display.ts';
import type { Output } from '../terminal/output.ts';
import { pause } from '../terminal/pause.ts';
import { Patience } from './patience.ts';
import type { ReleaseReader } from '../temporal/release/release-view.ts';

/** Milliseconds between two looks. */
const LOOK = 1_000;

/** How long to follow. */
interface FollowOptions {
  /**
   * `settled` also ends at a hold, where nothing goes on without a person; `final` goes on until the release has
   * ended.
   */
  until: 'settled' | 'final';
  signal: AbortSignal;
}

/**
 * Follows a release. Temporal may go away for any time: it is looked for until it is back.
 *
 * @throws Interrupted when the signal is aborted.
 */
export async function followRelease(
  reader: ReleaseReader,
  output: Output,
  options: FollowOptions,
): Promise<ReleaseRecord> {
  const display = displayFor(output);
  const patience = new Patience('the release', (text) => display.note(text), options.signal);
  let isOver = false;
  const ended = reader.ended().then(() => void (isOver = true));
  try {
    for (;;) {
      // A look that began before the end may not have seen it.
      const looksAfterEnd = isOver;
      const view = await patience.ask('Temporal', () => reader.read());
      if (view) {
        display.show(view);
        const { status } = view.record;
        if (isFinal(status) || (status === 'held' && options.until === 'settled')) return view.record;
      }
      // Once: what ended the wait may have been Temporal going away.
      await (looksAfterEnd ? pause(LOOK, options.signal) : Promise.race([pause(LOOK, options.signal), ended]));
    }
  } finally {
    display.close();
  }
}
