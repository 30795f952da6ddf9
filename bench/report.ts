/** The benchmark's tables: for a terminal, for bench/RESULTS.md and, in short, for docs/benchmarks.md. Pure. */
import { holds, type Growth, type Row, type Unit } from './case.ts';
import { exponent, spread } from './statistics.ts';

/** A number with three significant digits. */
export function shown(value: number, unit: Unit): string {
  const digits = Number(value.toPrecision(3));
  const text = Math.abs(digits) >= 1_000 ? Math.round(value).toLocaleString('en') : String(digits);
  return unit === 'ratio' || unit === 'count' || unit === 'events' ? text : `${text} ${NAMES[unit]}`;
}

const NAMES: Record<Exclude<Unit, 'ratio' | 'count' | 'events'>, string> = {
  s: 's',
  ms: 'ms',
  bytes: 'bytes',
  MB: 'MB',
  kB: 'kB',
  'per second': '/s',
  percent: '%',
};

function targetText({ target, unit }: Row): string {
  if (!target) return '';
  return 'most' in target ? `≤ ${shown(target.most, unit)}` : `≥ ${shown(target.least, unit)}`;
}

const HEADINGS = ['case', 'measure', 'least', 'median', 'most', 'runs', 'to reach', 'holds'];

function cells(row: Row): string[] {
  const { least, median, most } = spread(row.values);
  const held = holds(row, median);
  const figures = [least, median, most].map((value) => shown(value, row.unit));
  const verdict = held === undefined ? '' : held ? 'yes' : 'no';
  return [row.case, row.measure, ...figures, String(row.values.length), targetText(row), verdict];
}

const GROWTH_HEADINGS = ['what', 'sizes', 'figures', 'exponent'];

function growthCells({ what, of, unit, points }: Growth): string[] {
  const sizes = `${points.map(({ size }) => size).join(', ')} ${of}`;
  const figures = points.map(({ value }) => shown(value, unit)).join(', ');
  return [what, sizes, figures, exponent(points).toFixed(2)];
}

function markdownTable(rows: readonly (readonly string[])[]): string[] {
  const [head, ...rest] = rows.map((one) => `| ${one.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
  return [head!, `| ${rows[0]!.map(() => '---').join(' | ')} |`, ...rest];
}

function plainTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

/** The table for a terminal. */
export function terminalReport(rows: readonly Row[], growth: readonly Growth[]): string[] {
  return [
    ...(rows.length > 0 ? plainTable([HEADINGS, ...rows.map(cells)]) : []),
    '',
    ...(growth.length > 0 ? plainTable([GROWTH_HEADINGS, ...growth.map(growthCells)]) : []),
  ];
}

/** The measured part of bench/RESULTS.md. */
export function markdownReport(facts: readonly string[], rows: readonly Row[], growth: readonly Growth[]): string {
  const notes = rows.filter(({ note }) => note !== undefined).map((row) => `${row.case}; ${row.measure}: ${row.note}`);
  return [
    ...facts.map((fact) => `- ${fact}`),
    '',
    ...markdownTable([HEADINGS, ...rows.map(cells)]),
    ...(notes.length > 0 ? ['', 'To read it:', '', ...notes.flatMap((note) => wrapped(note))] : []),
    '',
    ...(growth.length > 0
      ? [
          'Growth, as `figure = a · size^exponent`:',
          '',
          ...markdownTable([GROWTH_HEADINGS, ...growth.map(growthCells)]),
        ]
      : []),
    '',
  ].join('\n');
}

/** The measured part of docs/benchmarks.md: what a release costs, by the medians. */
export function costReport(facts: readonly string[], rows: readonly Row[]): string {
  const costs = rows.flatMap((row) => {
    if (!row.headline) return [];
    const figure = shown(spread(row.values).median, row.unit);
    return [[row.headline.what, row.headline.times ? `${figure} × ${row.headline.times}` : figure]];
  });
  return [
    ...markdownTable([['what', 'flightline'], ...costs]),
    '',
    'Measured on:',
    '',
    ...facts.flatMap((fact) => wrapped(fact)),
    '',
  ].join('\n');
}

/** A list item in lines of at most 118 columns. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '-';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > 118) {
      lines.push(line);
      line = ' ';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

const BEGIN = '<!-- measured by npm run bench: what stands between these lines is written anew each time -->';
const END = '<!-- end of what is measured -->';

/** Replaces the measured part. Throws when the document has no place for it. */
export function withMeasured(document: string, measured: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('the document has no lines that mark the measured part');
  return `${document.slice(0, begin)}${BEGIN}\n\n${measured}\n${document.slice(end)}`;
}
