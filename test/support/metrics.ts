/** Metrics and alert rules, for tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** A rule of deploy/alerts.yaml. */
export interface AlertRule {
  alert: string;
  expr: string;
}

/** The rules of deploy/alerts.yaml. */
export function alertRules(): AlertRule[] {
  const text = readFileSync(join(import.meta.dirname, '../../deploy/alerts.yaml'), 'utf8');
  return (parse(text) as { groups: { rules: AlertRule[] }[] }).groups.flatMap((group) => group.rules);
}

/** The expressions of the dashboard's panels, by the panels' titles. */
export function dashboardExpressions(): { title: string; expr: string }[] {
  const text = readFileSync(join(import.meta.dirname, '../../deploy/grafana/flightline.json'), 'utf8');
  const { panels } = JSON.parse(text) as { panels: { title: string; targets?: { expr: string }[] }[] };
  return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
}

/** A metric in an expression, with the names of the labels that it is chosen by. */
export interface Selector {
  name: string;
  labels: string[];
}

const WORDS = new Set(['and', 'or', 'unless', 'bool']);

/** The metrics of a PromQL expression with their labels; enough of the language for our own rules. */
export function selectorsIn(expression: string): Selector[] {
  const plain = expression
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '');
  return [...plain.matchAll(/(?<![\w"])([a-zA-Z_:][\w:]*)\s*(\(|\{[^}]*\})?/g)].flatMap(([, name = '', after = '']) =>
    after === '(' || WORDS.has(name)
      ? []
      : [{ name, labels: [...after.matchAll(/(\w+)\s*(?:=|!)/g)].map(([, label]) => label!) }],
  );
}

/** The names of the metrics of a PromQL expression. */
export function metricsIn(expression: string): string[] {
  return selectorsIn(expression).map(({ name }) => name);
}

/** One line of a scrape: a metric (of a histogram: its buckets, sum and count) and its labels. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Asks a worker for its metrics, as Prometheus does (text format 0.0.4). */
export async function scrape(address: string): Promise<Sample[]> {
  const response = await fetch(`http://${address}/metrics`);
  if (!response.ok) throw new Error(`${address} answered ${response.status}`);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, name, labels = '', value] = /^([\w:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`no sample: ${line}`);
    return {
      name,
      labels: Object.fromEntries(
        [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key!, text!]),
      ),
      value: Number(value),
    };
  });
}

/** The name by which a sample's metric is known: without what a histogram appends. */
export function metricOf({ name, labels }: Sample): string[] {
  return 'le' in labels || /_(?:sum|count)$/.test(name) ? [name, name.replace(/_(?:bucket|sum|count)$/, '')] : [name];
}
