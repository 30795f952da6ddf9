/** Colours, as functions on text. Without colour they change nothing. */
import { stripVTControlCharacters, styleText } from 'node:util';

const STYLES = ['bold', 'dim', 'red', 'green', 'yellow', 'cyan'] as const;

/** The few styles in use. */
export type Style = Record<(typeof STYLES)[number], (text: string) => string>;

/** Styles with or without colour. */
export function style(colour: boolean): Style {
  const paint = (format: (typeof STYLES)[number]) => (text: string) =>
    colour && text !== '' ? styleText(format, text, { validateStream: false }) : text;
  return Object.fromEntries(STYLES.map((format) => [format, paint(format)])) as Style;
}

/** Length as seen, without colour codes. */
export function visibleLength(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** ESC `[` … `m`, which begins and ends a style. */
const SGR = new RegExp(`(${String.fromCharCode(27)}\\[[0-9;]*m)`, 'g');

/** Cuts a line to a width, colour codes not counted; a cut line ends with `…`. */
export function truncate(text: string, width: number): string {
  if (visibleLength(text) <= width) return text;
  let seen = 0;
  let cut = '';
  for (const [index, part] of text.split(SGR).entries()) {
    // Every second part is what was split at.
    if (index % 2 === 1) cut += part;
    else if (seen < width - 1) {
      const taken = part.slice(0, width - 1 - seen);
      seen += taken.length;
      cut += taken;
    }
  }
  return `${cut}…`;
}

/** Whatever moves a cursor or rings; tabs and line feeds stay. */
const CONTROLS = new RegExp(`[${range(0, 8)}${range(11, 31)}${range(127, 159)}]`, 'g');

function range(first: number, last: number): string {
  return `${String.fromCharCode(first)}-${String.fromCharCode(last)}`;
}

/**
 * Text of a program's output as it may be shown: what it says of colours and cursors is left out, tabs become spaces.
 */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROLS, '').replaceAll('\t', ' ');
}
