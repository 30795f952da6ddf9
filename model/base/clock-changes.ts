/** Which times of day a clock change skips or repeats. Pure. */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The moments (ms since 1970) in a span at which the clocks of an IANA time zone change. */
export function clockChanges(timeZone: string, from: number, until: number): number[] {
  const found: number[] = [];
  for (let at = from; at < until; at += DAY) {
    if (offsetAt(timeZone, at) === offsetAt(timeZone, at + DAY)) continue;
    let [before, after] = [at, at + DAY];
    while (after - before > 60_000) {
      const middle = (before + after) / 2;
      if (offsetAt(timeZone, middle) === offsetAt(timeZone, at)) before = middle;
      else after = middle;
    }
    found.push(Math.round(after / 60_000) * 60_000);
  }
  return found;
}

/**
 * The times of day (`02:30`) that a schedule misses or repeats on the day of a change, compared with the same weekday a
 * week before and a week after. `runs` are its moments (ms since 1970) from eight days before to eight days after.
 */
export function unusualTimes(
  timeZone: string,
  change: number,
  runs: readonly number[],
): { day: string; missed: string[]; doubled: string[] } {
  const local = runs.map((at) => localTime(timeZone, at));
  // A change at midnight belongs to the day that it shortens.
  const [day] = localTime(timeZone, change - 60_000);
  const timesOn = (other: string) => local.filter(([date]) => date === other).map(([, time]) => time);
  const there = timesOn(day);
  const usual = timesOn(daysFrom(day, -7)).filter((time) => timesOn(daysFrom(day, 7)).includes(time));
  return {
    day,
    missed: usual.filter((time) => !there.includes(time)),
    doubled: there.filter((time, index) => there.indexOf(time) !== index),
  };
}

function daysFrom(day: string, days: number): string {
  return new Date(Date.parse(day) + days * DAY).toISOString().slice(0, 10);
}

/** Local date and time of day: `2027-03-28`, `02:30`. */
function localTime(timeZone: string, at: number): [date: string, time: string] {
  const [date, time] = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
    .format(at)
    .split(' ');
  return [date!, time!];
}

/** Minutes east of UTC. */
function offsetAt(timeZone: string, at: number): number {
  const [date, time] = localTime(timeZone, at);
  return Math.round((Date.parse(`${date}T${time}:00Z`) - Math.floor(at / 60_000) * 60_000) / 60_000);
}
