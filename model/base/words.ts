/** Bytes, times and spans of time as a person reads them. Pure. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes in decimal units, as registries and disk vendors count: `276 MB`, `1.4 GB`. */
export function bytesInWords(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : value.toFixed(0)} ${UNITS[unit]}`;
}

/** Milliseconds as `0.4 s`, `12 s`, `2:05`, `1:02:05`, for progress. */
export function elapsedInWords(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** Milliseconds as a person says them, for what has ended: `1.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function spanInWords(milliseconds: number): string {
  const seconds = milliseconds / 1_000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `2026-11-23 14:05+01:00`: local time with its zone, for lists. */
export function timeInWords(at: Date): string {
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}${zoneOf(at)}`;
}

/** `2026-11-23 13:05:09Z`: for pages that people in several zones read. */
export function utcInWords(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** `14:05:09+01:00`: local time of day with its zone, for lines that come one after the other. */
export function clockInWords(at: Date): string {
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}${zoneOf(at)}`;
}

/** The local zone as ISO 8601 writes it: `Z`, `+01:00`. */
function zoneOf(at: Date): string {
  const minutes = -at.getTimezoneOffset();
  if (minutes === 0) return 'Z';
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/**
 * Markdown for a page of Temporal's Web UI, whose frame is a line lower than the text: the last line is a blank one (a
 * no-break space, since Markdown leaves out others).
 */
export function forWebUi(markdown: string): string {
  return `${markdown}\n\n\u00A0`;
}
