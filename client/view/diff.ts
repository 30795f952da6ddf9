/** The difference between two images and their gates in lines. Pure. */
import { bytesInWords } from '../../model/base/words.ts';
import { gateChangeInWords } from '../../model/gate/gate-diff.ts';
import { gatesInWords, type RecordedGate } from '../../model/gate/gate.ts';
import type { PlatformDiff } from '../../model/oci/image-diff.ts';
import type { PackageDiff } from '../../model/oci/packages.ts';
import type { ReleaseDiff } from '../../model/documents/release-diff.ts';
import { plain, style, type Style } from './style.ts';
import { formatTable } from './table.ts';

/** Longest instruction and value that are shown (characters); `--json` has them whole. */
const MAX_WORDS = 90;

/** The lines of `flightline diff`. */
export function renderDiff(diff: ReleaseDiff, colour: boolean, columns?: number): string[] {
  const paint = style(colour);
  return [
    paint.bold(`${diff.from} → ${diff.to}`),
    ...diff.platforms.flatMap((one) => platformLines(one, paint, columns)),
    ...diff.onlyFrom.map((platform) => `${platform}: ${paint.red('gone')}`),
    ...diff.onlyTo.map((platform) => `${platform}: ${paint.green('new')}`),
    ...gateLines(diff),
  ];
}

/** Nothing where no gate is known. */
function gateLines({ gates, waived, unrecorded }: ReleaseDiff): string[] {
  const named = ({ name, reference, on }: RecordedGate) => `${name} on ${on} (${reference})`;
  const lines = [
    ...(unrecorded.length === 1
      ? [`gates are not known: there is no record of ${unrecorded[0]} that can be read`]
      : []),
    ...(gates?.added ?? []).map((gate) => `gate new: ${named(gate)}`),
    ...(gates?.removed ?? []).map((gate) => `gate gone: ${named(gate)}`),
    ...(gates?.changed ?? []).map((change) => `gate changed: ${change.to.name}: ${gateChangeInWords(change)}`),
    ...gatesInWords(waived).map((text) => `gate ${text}`),
  ];
  // A comment with a line of its own could look like another gate.
  return lines.map((line) => plain(line).replaceAll(/\s+/g, ' '));
}

function platformLines(
  { platform, from, to, update, size, layers, configuration, packages }: PlatformDiff,
  paint: Style,
  columns: number | undefined,
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
    ...packageLines(packages, paint, columns),
    `  layers: ${layers.shared} the same, ${layers.removed.length} gone, ${layers.added.length} new`,
    ...formatTable(
      [
        ...layers.removed.map((layer) => row(paint.red('-'), layer)),
        ...layers.added.map((layer) => row(paint.green('+'), layer)),
      ],
      '    ',
      columns,
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
function packageLines(packages: PackageDiff | null, paint: Style, columns: number | undefined): string[] {
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
      columns,
    ),
  ];
}

/** The difference in Markdown, as a release note. */
export function markdownDiff(diff: ReleaseDiff): string[] {
  return [
    `## ${escaped(diff.from)} → ${escaped(diff.to)}`,
    ...diff.platforms.flatMap(markdownOf),
    ...diff.onlyFrom.map((platform) => `\n### ${escaped(platform)}\n\nThere is no image for it any more.`),
    ...diff.onlyTo.map((platform) => `\n### ${escaped(platform)}\n\nThere was no image for it before.`),
    ...section('Gates', gateLines(diff)),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `### ${title}`, '', ...lines.map((line) => `- ${escaped(line)}`)];
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
