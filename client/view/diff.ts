/** The difference between two images in lines. Pure. */
import { bytesInWords } from '../../model/base/words.ts';
import type { ImageDiff, PlatformDiff } from '../../model/oci/image-diff.ts';
import { plain, style, type Style } from './style.ts';
import { formatTable } from './table.ts';

/** Longest instruction and value that are shown (characters); `--json` has them whole. */
const MAX_WORDS = 90;

/** The lines of `flightline diff`. */
export function renderDiff(diff: ImageDiff, colour: boolean): string[] {
  const paint = style(colour);
  return [
    paint.bold(`${diff.from} → ${diff.to}`),
    ...diff.platforms.flatMap((one) => platformLines(one, paint)),
    ...diff.onlyFrom.map((platform) => `${platform}: ${paint.red('gone')}`),
    ...diff.onlyTo.map((platform) => `${platform}: ${paint.green('new')}`),
  ];
}

function platformLines(
  { platform, from, to, update, size, layers, configuration }: PlatformDiff,
  paint: Style,
): string[] {
  if (from === to) return [`${platform}: the same image ${from}`];
  const row = (mark: string, layer: PlatformDiff['layers']['added'][number]) => [
    mark,
    bytesInWords(layer.size),
    layer.digest.slice(0, 'sha256:'.length + 12),
    paint.dim(cut(layer.createdBy ?? '')),
  ];
  return [
    platform,
    `  ${paint.dim(`${from} → ${to}`)}`,
    `  an update fetches ${bytesInWords(update.bytes)} (${update.layers} of ${update.of} layers)`,
    `  size: ${bytesInWords(size.from)} → ${bytesInWords(size.to)}`,
    `  layers: ${layers.shared} the same, ${layers.removed.length} gone, ${layers.added.length} new`,
    ...formatTable(
      [
        ...layers.removed.map((layer) => row(paint.red('-'), layer)),
        ...layers.added.map((layer) => row(paint.green('+'), layer)),
      ],
      '    ',
    ),
    `  configuration: ${configuration.length === 0 ? 'the same' : ''}`.trimEnd(),
    ...configuration.flatMap(({ key, from: old, to: now }) => [
      `    ${plain(key)}`,
      ...(old === null ? [] : [`      ${paint.red('-')} ${cut(old)}`]),
      ...(now === null ? [] : [`      ${paint.green('+')} ${cut(now)}`]),
    ]),
  ];
}

function cut(text: string): string {
  const line = plain(text).replaceAll(/\s+/g, ' ').trim();
  return line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS - 1)}…` : line;
}
