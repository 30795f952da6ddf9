/** The keys of flightline.yaml for nightly releases. */
import { z } from 'zod';
import { parseDuration } from '../base/duration.ts';

/**
 * Five to seven fields of a cron expression, or a shorthand, as Temporal reads them (api `schedule/v1/message.proto`,
 * ScheduleSpec).
 */
export const Cron = z
  .string()
  .trim()
  .refine((text) => /^@(?:yearly|monthly|weekly|daily|hourly)$/.test(text) || hasFields(text), {
    message: 'is not a cron expression of five fields: minute, hour, day of month, month, day of week',
  });

/** Seven fields have a second first and a year last; six have a year last. */
function hasFields(text: string): boolean {
  const fields = text.split(/\s+/);
  return fields.length >= 5 && fields.length <= 7 && fields.every((field) => /^[\w*/,?-]+$/.test(field));
}

/** An IANA time zone. The server checks it when the schedule is made. */
export const TimeZone = z.string().regex(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, 'is not a time zone such as Europe/Berlin');

/** `schedule` of flightline.yaml. */
export const ScheduleSection = z.strictObject({
  cron: Cron.describe('when: five fields, such as "0 2 * * *"; six have a year, seven a second as well'),
  timeZone: TimeZone.default('UTC').describe('the time zone of cron'),
  supersede: z
    .boolean()
    .default(false)
    .describe('the next run ends a release that the one before left held, instead of leaving it to wait'),
});
export type ScheduleSection = z.infer<typeof ScheduleSection>;

/** What `rebuild` may be. */
export const REBUILDS = ['always', 'when-changed'] as const;

const DAY = 24 * 3_600_000;

/** `maxAge` of flightline.yaml, kept as written. */
export const MaxAge = z.string().refine((text) => (parseDuration(text) ?? 0) > 0, {
  message: 'is not an age such as 7d or 12h',
});

/** An age as a person writes it: `8d`, `5h`, `40s`. */
export function formatAge(milliseconds: number): string {
  const units = [
    ['d', DAY],
    ['h', 3_600_000],
    ['m', 60_000],
  ] as const;
  const unit = units.find(([, length]) => milliseconds >= length);
  return unit ? `${Math.floor(milliseconds / unit[1])}${unit[0]}` : `${Math.floor(milliseconds / 1000)}s`;
}
