/**
 * Keeps secrets out of logs, heartbeats, failures and history: known values and credentials in URLs are blotted out.
 */

const BLOT = '[secret]';
/** Shorter values would blot out ordinary words. */
const SHORTEST = 4;
const known = new Set<string>();

/** From now on this value is blotted out of all that passes {@link redact}. Each line of a longer value counts too. */
export function registerSecret(value: string): void {
  for (const part of [value, ...value.split('\n')]) {
    const trimmed = part.trim();
    if (trimmed.length < SHORTEST) continue;
    known.add(trimmed);
    // As a line of a worker's log spells it, which is redacted as a whole.
    known.add(JSON.stringify(trimmed).slice(1, -1));
  }
}

/** The text without known secrets, credentials in URLs and bearer tokens. */
export function redact(text: string): string {
  let clean = text
    // Looked for from "://" on: trying every letter of a long word as the scheme's first would take minutes for a long
    // log.
    .replace(/(?<=[a-z0-9+.-]:\/\/)[^/\s@]+@/gi, `${BLOT}@`)
    .replace(/\b(authorization:?\s*(?:basic|bearer)|bearer)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${BLOT}`);
  for (const secret of known) clean = clean.replaceAll(secret, BLOT);
  return clean;
}
