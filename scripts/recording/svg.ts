/** Frames of a terminal as an SVG that plays by itself, without a script: pages show it as a picture. Pure. */
import type { Frame, Run } from './frames.ts';

/** Pixels of a character. */
const WIDTH = 8.4;
const HEIGHT = 18;
const MARGIN = 14;
const BACKGROUND = '#16181d';
const FONTS = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace";
const TEXT = '#d7dae0';
/** The sixteen colours of terminals. */
const DARK = ['#3f4451', '#e05561', '#8cc265', '#d18f52', '#4aa5f0', '#c162de', '#42b3c2', '#d7dae0'];
const BRIGHT = ['#6b7280', '#ff616e', '#a5e075', '#f0a45d', '#4dc4ff', '#de73ff', '#4cd1e0', '#ffffff'];
const COLOURS = [...DARK, ...BRIGHT];

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const rounded = (value: number) => String(Math.round(value * 100) / 100);

function drawn({ column, text, colour, bold, dim }: Run): string {
  const looks = [
    colour === null ? '' : ` fill="${COLOURS[colour]}"`,
    bold ? ' font-weight="bold"' : '',
    dim ? ' opacity=".6"' : '',
  ].join('');
  return `<text x="${rounded(column * WIDTH)}"${looks}>${escaped(text)}</text>`;
}

/** The SVG. A line that several frames have is drawn once. `title` is for who cannot see it. */
export function svgOf(frames: readonly Frame[], size: { columns: number; rows: number }, title: string): string {
  const ids = new Map<string, string>();
  const total = frames.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const rowsOf = ({ lines }: Frame) =>
    lines.flatMap((line, row) => {
      if (line.length === 0) return [];
      const text = line.map(drawn).join('');
      const id = ids.get(text) ?? `l${ids.size}`;
      ids.set(text, id);
      return [`<use href="#${id}" y="${(row + 1) * HEIGHT}"/>`];
    });
  const width = size.columns * WIDTH;
  const height = size.rows * HEIGHT;
  const pictures = frames.map(
    (frame, index) => `<g transform="translate(${rounded(index * width)})">${rowsOf(frame).join('')}</g>`,
  );
  let at = 0;
  const steps = frames.map(({ milliseconds }, index) => {
    const step = `${rounded((at / total) * 100)}%{transform:translateX(${rounded(-index * width)}px)}`;
    at += milliseconds;
    return step;
  });
  const [outerWidth, outerHeight] = [width + 2 * MARGIN, height + 2 * MARGIN].map(rounded);
  const frame = `viewBox="0 0 ${outerWidth} ${outerHeight}" width="${outerWidth}"`;
  const letters = `fill="${TEXT}" font-size="14" font-family="${FONTS}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${frame} role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>text{white-space:pre}@keyframes play{${steps.join('')}}`,
    `.film{animation:play ${total}ms step-end infinite}</style>`,
    `<rect width="100%" height="100%" rx="8" fill="${BACKGROUND}"/>`,
    `<defs>${[...ids].map(([text, id]) => `<g id="${id}">${text}</g>`).join('\n')}</defs>`,
    `<svg x="${MARGIN}" y="${MARGIN}" width="${rounded(width)}" height="${rounded(height)}" ${letters}>`,
    '<g class="film">',
    pictures.join('\n'),
    '</g></svg></svg>',
    '',
  ].join('\n');
}
