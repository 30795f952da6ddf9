/** The difference between two images in lines. Pure. */
import { bytesInWords } from '../../model/base/words.ts';
import type { ImageDiff, PlatformDiff } from '../../model/oci/image-diff.ts';
import type { PackageDiff } from '../../model/oci/packages.ts';
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
  { platform, from, to, update, size, layers, configuration, packages }: PlatformDiff,
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
    ...packageLines(packages, paint),
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

/** Packages, and the kernel first. Nothing where they are not known. */
function packageLines(packages: PackageDiff | null, paint: Style): string[] {
  if (!packages) return [];
  const { added, removed, changed, kernel } = packages;
  const counts = `${changed.length} changed, ${removed.length} gone, ${added.length} new`;
  return [
    ...(kernel.from === kernel.to ? [] : [`  kernel: ${plain(kernel.from ?? 'none')} → ${plain(kernel.to ?? 'none')}`]),
    `  packages: ${counts}`,
    ...formatTable(
      [
        ...changed.map(({ name, from, to }) => [' ', plain(name), `${plain(from)} → ${plain(to)}`]),
        ...removed.map(({ name, version }) => [paint.red('-'), plain(name), plain(version)]),
        ...added.map(({ name, version }) => [paint.green('+'), plain(name), plain(version)]),
      ],
      '    ',
    ),
  ];
}

/** The difference in Markdown, as a release note. */
export function markdownDiff(diff: ImageDiff): string[] {
  return [
    `## ${escaped(diff.from)} → ${escaped(diff.to)}`,
    ...diff.platforms.flatMap(markdownOf),
    ...diff.onlyFrom.map((platform) => `\n### ${escaped(platform)}\n\nThere is no image for it any more.`),
    ...diff.onlyTo.map((platform) => `\n### ${escaped(platform)}\n\nThere was no image for it before.`),
  ];
}

function markdownOf({ platform, from, to, update, size, packages }: PlatformDiff): string[] {
  const head = ['', `### ${escaped(platform)}`, ''];
  if (from === to) return [...head, `The same image, \`${from}\`.`];
  const facts = [
    `- image: \`${from}\` → \`${to}\``,
    `- an update fetches ${bytesInWords(update.bytes)} (${update.layers} of ${update.of} layers)`,
    `- size: ${bytesInWords(size.from)} → ${bytesInWords(size.to)}`,
  ];
  if (!packages) return [...head, ...facts];
  const { added, removed, changed, kernel } = packages;
  const rows = [
    ...changed.map(({ name, from: old, to: now }) => [name, old, now]),
    ...removed.map(({ name, version }) => [name, version, '']),
    ...added.map(({ name, version }) => [name, '', version]),
  ];
  return [
    ...head,
    ...facts,
    ...(kernel.from === kernel.to
      ? []
      : [`- kernel: ${escaped(kernel.from ?? 'none')} → ${escaped(kernel.to ?? 'none')}`]),
    `- packages: ${changed.length} changed, ${removed.length} gone, ${added.length} new`,
    ...(rows.length === 0 ? [] : ['', '| package | before | now |', '| --- | --- | --- |']),
    ...rows.map((cells) => `| ${cells.map(escaped).join(' | ')} |`),
  ];
}

/** Text of an image as it is, whatever Markdown would make of it. */
function escaped(text: string): string {
  return plain(text).replaceAll(/[\\`*_[\]<>|#&!]/g, String.raw`\$&`);
}

function cut(text: string): string {
  const line = plain(text).replaceAll(/\s+/g, ' ').trim();
  return line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS - 1)}…` : line;
}
