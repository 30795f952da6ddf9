/** The values in a secret's file. Pure. */
import { z } from 'zod';

/** Shorter parts of a secret are not redacted, since they may be ordinary words (characters). */
const SHORTEST = 8;

/**
 * The values to redact for a secret's file: in JSON its strings, and the passwords of registry logins in plain text;
 * otherwise its lines. Not names of members or short parts, which may be ordinary words. Pure.
 */
export function secretValues(text: string): string[] {
  const json = parseJson(text);
  const whole = text.trim();
  if (json === null && !whole.includes('\n')) return [whole];
  const values = json === null ? text.split('\n') : textsOf(json);
  const passwords = Object.values(LogIns.safeParse(json).data?.auths ?? {}).map(({ auth = '' }) =>
    Buffer.from(auth, 'base64')
      .toString()
      .replace(/^[^:]*:/, '')
      // Docker pads old entries with NUL bytes.
      .replace(/\0+$/, ''),
  );
  return [...new Set([...values, ...passwords].map((value) => value.trim()))].filter(
    (value) => value.length >= SHORTEST,
  );
}

/** The parts of containers-auth.json(5) that matter here. */
const LogIns = z.looseObject({ auths: z.record(z.string(), z.looseObject({ auth: z.string().optional() })) });

/** `true` for a file of registry logins (containers-auth.json(5)). Pure. */
export function holdsLogIns(text: string): boolean {
  return LogIns.safeParse(parseJson(text)).success;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(textsOf);
}
