/** Writes the tables of the documentation and the dashboard that follow from the code; `--check` only compares them. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { FAILURE_KINDS, FAILURES } from '../model/failure/failures.ts';
import { remedyText } from '../model/failure/remedy-text.ts';
import { METRICS } from '../model/base/metric.ts';
import { costLine } from './cost-line.ts';
import { dashboard } from './dashboard.ts';
import { writeGenerated } from './generated-files.ts';

interface AlertRules {
  groups: {
    rules: { alert: string; for?: string; labels: { severity: string }; annotations: Record<string, string> }[];
  }[];
}

type Row = readonly string[];

const read = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');

function table(headings: Row, rows: readonly Row[]): string {
  const lines = [headings, headings.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n');
}

function failures(): string {
  const rows = FAILURE_KINDS.map((kind) => {
    const { disposition, meaning, ...remedy } = FAILURES[kind];
    const place = disposition === 'fail' ? 'ended release' : 'held branch';
    const text = remedyText({ kind, remedy }, place);
    return [`\`${kind}\``, disposition, meaning, disposition === 'retry' ? `wait; if it lasts: ${text}` : text];
  });
  return table(['kind', 'fate', 'what has happened', 'what to do'], rows);
}

function metrics(): string {
  const rows = Object.entries(METRICS).map(([name, row]) => [
    `\`${name}\``,
    row.kind,
    row.labels.map((label) => `\`${label}\``).join(', '),
    row.role,
    'note' in row ? `${row.help}; ${row.note}` : row.help,
  ]);
  return table(['metric', 'type', 'labels', 'role', 'what it says'], rows);
}

/** An annotation with the names of labels in the place of their values, and N in the place of the figure. */
function withoutTemplates(text = ''): string {
  return text
    .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => label.toUpperCase())
    .replaceAll(/\{\{ \$value[^}]*\}\}/g, 'N');
}

function alerts(): string {
  const rules = parse(read('deploy/alerts.yaml')) as AlertRules;
  const rows = rules.groups
    .flatMap((group) => group.rules)
    .map((rule) => [
      `\`${rule.alert}\``,
      rule.labels.severity,
      rule.for ?? 'at once',
      withoutTemplates(rule.annotations.summary),
      withoutTemplates(rule.annotations.description),
    ]);
  return table(['alert', 'severity', 'raised after', 'what it says', 'what to do'], rows);
}

/** The document with the generated part of that name replaced. Throws when the document has no place for it. */
function withPart(document: string, name: string, text: string): string {
  const begin = `<!-- ${name}: written by npm run docs -->`;
  const end = `<!-- end of ${name} -->`;
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the document has no place for the ${name}`);
  return `${document.slice(0, from)}${begin}\n\n${text}\n\n${document.slice(to)}`;
}

await writeGenerated(
  {
    'deploy/grafana/flightline.json': () => `${JSON.stringify(dashboard(), null, 2)}\n`,
    'README.md': (document) => withPart(document, 'cost', costLine(read('docs/benchmarks.md'))),
    'docs/failures.md': (document) => withPart(document, 'failures', failures()),
    'docs/metrics.md': (document) => withPart(withPart(document, 'metrics', metrics()), 'alerts', alerts()),
  },
  'npm run docs',
);
