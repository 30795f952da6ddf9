/** Follows a release to its end, or until it is held, showing its progress. */
import type { ReleaseRecord } from '../../model/release/record.ts';
import { isFinal } from '../../model/stage/stage.ts';
import { displayFor, type Display } from './display.ts';
import { followLogs, type LogDisplay } from './logs.ts';
import type { Temporal } from '../temporal/temporal.ts';
import { errorMessage } from '../terminal/errors.ts';
import type { Output } from '../terminal/output.ts';
import { Interrupted, pause } from '../terminal/pause.ts';
import type { ReleaseView } from '../view/activities.ts';
import { plain } from '../view/style.ts';
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
  /** Shows the output of what runs as well, and asks its hosts for it by this connection. */
  logs?: Temporal | undefined;
}

/** Milliseconds that the last lines of logs get after the end. */
const LAST_LINES = 10_000;

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
  const logs = options.logs && showLogs(options.logs, reader, display, options.signal);
  let last: ReleaseView | undefined;
  try {
    for (;;) {
      // A look that began before the end may not have seen it.
      const looksAfterEnd = isOver;
      const view = await patience.ask('Temporal', () => reader.read());
      last = view ?? last;
      if (last) display.show(last);
      if (view) {
        const { status } = view.record;
        if (isFinal(status) || (status === 'held' && options.until === 'settled')) {
          await logs?.rest();
          return view.record;
        }
      }
      // Once: what ended the wait may have been Temporal going away.
      await (looksAfterEnd ? pause(LOOK, options.signal) : Promise.race([pause(LOOK, options.signal), ended]));
    }
  } finally {
    logs?.stop();
    display.close();
  }
}

/** The lines of what runs, each with its stage, above the table or between the lines of progress. */
function showLogs(temporal: Temporal, reader: ReleaseReader, display: Display, signal: AbortSignal) {
  const stopped = new AbortController();
  const partial = new Map<string, string>();
  const sink: LogDisplay = {
    note: (text) => display.note(text),
    text: ({ label }, text) => {
      const lines = `${partial.get(label) ?? ''}${text}`.split('\n');
      partial.set(label, lines.pop()!);
      for (const line of lines) display.note(`${label.replace(/ \(.*/, '')} | ${plain(line)}`);
    },
  };
  // What cannot be shown costs the release nothing.
  const followed = followLogs(temporal, reader, {}, sink, AbortSignal.any([signal, stopped.signal])).catch(
    (error: unknown) => void (error instanceof Interrupted || display.note(`no more output: ${errorMessage(error)}`)),
  );
  return {
    rest: async () => void (await Promise.race([followed, pause(LAST_LINES, signal).catch(() => undefined)])),
    stop: () => stopped.abort(),
  };
}
