/**
 * Keeps secrets out of logs, heartbeats, failures and history: known values in their usual encodings, credentials in
 * URLs, and bearer tokens.
 */

const BLOT = '[secret]';
/** Shorter values might be ordinary words. */
const SHORTEST = 4;
/** Shorter pieces of base64 would match by chance. */
const SHORTEST_BASE64 = 5;
const BASE64 = /[A-Za-z0-9+/_-]/;

/** Encodings of known values, the longest first, since one value may begin like another. */
let plain: string[] = [];
/** What the base64 of any text with a known value contains. */
let encoded: string[] = [];

/** From now on {@link redact} removes this value, and each of its lines. */
export function registerSecret(value: string): void {
  for (const part of new Set([value, ...value.split('\n')].map((text) => text.trim()))) {
    if (part.length < SHORTEST || plain.includes(part)) continue;
    plain = longestFirst([...plain, ...spellings(part)]);
    encoded = longestFirst([...encoded, ...base64Cores(part)]);
  }
}

/** The text without known secrets, credentials in URLs and bearer tokens. */
export function redact(text: string): string {
  let clean = text;
  for (const secret of plain) clean = clean.replaceAll(secret, BLOT);
  for (const core of encoded) clean = withoutBase64(clean, core);
  return (
    clean
      // Search from "://" on: trying every letter of a long word as a scheme's first would take minutes.
      .replace(/(?<=[a-z0-9+.-]:\/\/)[^/\s@]+@/gi, `${BLOT}@`)
      .replace(/\b(authorization:?\s*(?:basic|bearer)|bearer)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${BLOT}`)
  );
}

/**
 * Splits a growing text: the redacted part that can be given out, and the rest, in which a known secret may have begun.
 */
export function cutRedacted(text: string): { piece: string; rest: string } {
  const clean = redact(text);
  const keep = Math.max(plain[0]?.length ?? 0, encoded[0]?.length ?? 0);
  const at = Math.max(0, clean.length - keep);
  return { piece: clean.slice(0, at), rest: clean.slice(at) };
}

/** Plain; in JSON, and in JSON in JSON; percent-encoded as in URLs and forms, with hexadecimal digits in both cases. */
function spellings(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1);
  // Half a character cannot be percent-encoded. A buffer has none.
  const percent = encodeURIComponent(Buffer.from(value).toString());
  const strict = percent.replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
  const percents = [percent, strict, strict.replaceAll('%20', '+')];
  const lower = percents.map((text) => text.replace(/%[0-9A-F]{2}/g, (one) => one.toLowerCase()));
  return [value, json, JSON.stringify(json).slice(1, -1), ...percents, ...lower];
}

/**
 * Three bytes make four characters, so the base64 of a value depends on its position. Leaves out the characters that
 * contain bits of its neighbours.
 */
function base64Cores(value: string): string[] {
  const bytes = Buffer.from(value);
  const cores = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const whole = (before + bytes.length) % 3 === 0;
    return text.slice(Math.ceil((before * 8) / 6), whole ? undefined : -1);
  });
  const urlSafe = cores.map((core) => core.replaceAll('+', '-').replaceAll('/', '_'));
  return [...cores, ...urlSafe].filter((core) => core.length >= SHORTEST_BASE64);
}

/** Removes the whole base64 word around a core. */
function withoutBase64(text: string, core: string): string {
  let clean = '';
  let rest = 0;
  for (let at = text.indexOf(core); at >= 0; at = text.indexOf(core, rest)) {
    let start = at;
    while (start > rest && BASE64.test(text[start - 1]!)) start -= 1;
    let end = at + core.length;
    while (end < text.length && BASE64.test(text[end]!)) end += 1;
    while (text[end] === '=') end += 1;
    clean += text.slice(rest, start) + BLOT;
    rest = end;
  }
  return rest === 0 ? text : clean + text.slice(rest);
}

function longestFirst(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort((left, right) => right.length - left.length);
}
