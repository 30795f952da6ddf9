/** Durations as people write them: `30s`, `5m`, `2h`, `7d`. Pure. */
import { z } from 'zod';

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `90s`, `5m`, `1h`, `7d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const parsed = /^(\d{1,6})([smhd])$/.exec(text.trim());
  return parsed ? Number(parsed[1]) * UNITS[parsed[2] as keyof typeof UNITS] : undefined;
}

/** A schema for a duration between two bounds (ms). It keeps the text as written. */
export function durationBetween(least: string, most: string): z.ZodType<string> {
  const bounds = [parseDuration(least)!, parseDuration(most)!] as const;
  return z.string().refine(
    (text) => {
      const milliseconds = parseDuration(text);
      return milliseconds !== undefined && milliseconds >= bounds[0] && milliseconds <= bounds[1];
    },
    { message: `is not a duration from ${least} to ${most}, such as 90s, 5m or 1h` },
  );
}

/** Milliseconds as text, in the largest unit that divides them: `5m`, `90s`. */
export function formatDuration(milliseconds: number): string {
  const units = Object.entries(UNITS).reverse();
  const [unit, length] = units.find(([, size]) => milliseconds % size === 0 && milliseconds >= size) ?? ['s', 1_000];
  return `${Math.round(milliseconds / length)}${unit}`;
}
