/** What the next changes of the clocks do to a schedule, as Temporal itself answers. */
import { clockChanges, unusualTimes } from '../../model/base/clock-changes.ts';
import { scheduleId } from '../../model/release/nightly.ts';
import { REQUEST_TIMEOUT, type Temporal } from './temporal.ts';

const DAY = 24 * 3_600_000;
/** How far ahead (ms): each change of a year. */
const AHEAD = 366 * DAY;

/** A line for each of the next changes on whose day the schedule misses a time of day, or has one twice. */
export async function clockWarnings(temporal: Temporal, repository: string, timeZone: string): Promise<string[]> {
  const now = Date.now();
  const warnings: string[] = [];
  for (const change of clockChanges(timeZone, now, now + AHEAD)) {
    const runs = await matchingTimes(temporal, repository, change - 8 * DAY, change + 8 * DAY);
    const { day, missed, doubled } = unusualTimes(timeZone, change, runs);
    const why = `on ${day} the clocks of ${timeZone} are changed`;
    if (missed.length > 0) warnings.push(`${why}: no run at ${timesInWords(missed)} then`);
    if (doubled.length > 0) warnings.push(`${why}: two runs at ${timesInWords(doubled)} then`);
  }
  return warnings;
}

function timesInWords([first, ...more]: readonly string[]): string {
  return more.length === 0 ? first! : `${first} and ${more.length} other times`;
}

/** When the schedule would run, milliseconds since 1970. */
async function matchingTimes(temporal: Temporal, repository: string, from: number, until: number): Promise<number[]> {
  const { msToTs, tsToMs } = await import('./sdk.ts');
  const { startTime } = await temporal.within(REQUEST_TIMEOUT, () =>
    temporal.client.workflowService.listScheduleMatchingTimes({
      namespace: temporal.namespace,
      scheduleId: scheduleId(repository),
      startTime: msToTs(from),
      endTime: msToTs(until),
    }),
  );
  return (startTime ?? []).map((time) => tsToMs(time));
}
