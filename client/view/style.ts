/** Colours, as functions on text. Without colour they change nothing. */

/** The few styles in use. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/** ESC, which begins every code. */
const ESCAPE = String.fromCharCode(27);
const SGR = new RegExp(`(${ESCAPE}\\[[0-9;]*m)`, 'g');

/** SGR codes (ECMA-48 §8.3.117): on and off. */
const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** Styles with or without colour. */
export function style(colour: boolean): Style {
  const make =
    ([on, off]: readonly [number, number]) =>
    (text: string) =>
      colour && text !== '' ? `${ESCAPE}[${on}m${text}${ESCAPE}[${off}m` : text;
  return {
    bold: make(CODES.bold),
    dim: make(CODES.dim),
    red: make(CODES.red),
    green: make(CODES.green),
    yellow: make(CODES.yellow),
    cyan: make(CODES.cyan),
  };
}

/** Length as seen, without colour codes. */
export function visibleLength(text: string): number {
  return text.replace(SGR, '').length;
}

/** Cuts a line to a width, colour codes not counted; a cut line ends with `…`. */
export function truncate(text: string, width: number): string {
  if (visibleLength(text) <= width) return text;
  let seen = 0;
  let cut = '';
  for (const part of text.split(SGR)) {
    if (part.startsWith(`${ESCAPE}[`)) cut += part;
    else if (seen < width - 1) {
      const taken = part.slice(0, width - 1 - seen);
      seen += taken.length;
      cut += taken;
    }
  }
  return `${cut}…`;
}

/** ANSI sequences (ECMA-48 §5.4): CSI, OSC up to its terminator (BEL or ESC \), and the short ones. */
const BELL = String.fromCharCode(7);
const SEQUENCES = new RegExp(
  `${ESCAPE}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${ESCAPE}${BELL}]*(?:${BELL}|${ESCAPE}\\\\)?|[@-Z^_])`,
  'g',
);
/** Whatever else moves a cursor or rings; tabs and line feeds stay. */
const CONTROLS = new RegExp(`[${range(0, 8)}${range(11, 31)}${range(127, 159)}]`, 'g');

function range(first: number, last: number): string {
  return `${String.fromCharCode(first)}-${String.fromCharCode(last)}`;
}

/**
 * Text of a program's output as it may be shown: what it says of colours and cursors is left out, tabs become spaces.
 */
export function plain(text: string): string {
  return text.replace(SEQUENCES, '').replace(CONTROLS, '').replaceAll('\t', ' ');
}
