/** The dashboard has a panel for each metric, and Prometheus reads its expressions. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { METRICS } from '../../../model/base/metric.ts';
import { dashboard } from '../../../scripts/dashboard.ts';
import { dashboardExpressions, metricsIn } from '../../support/metrics.ts';

const expressions = dashboardExpressions();

it('is what the list of metrics says (npm run docs)', () => {
  const file = readFileSync(join(import.meta.dirname, '../../../deploy/grafana/flightline.json'), 'utf8');
  expect(file).toBe(`${JSON.stringify(dashboard(), null, 2)}\n`);
});

it('shows every metric', () => {
  const shown = expressions.flatMap(({ expr }) => metricsIn(expr)).map((name) => name.replace(/_bucket$/, ''));
  expect([...new Set(shown)].toSorted()).toEqual(Object.keys(METRICS).toSorted());
});

it('asks in words that Prometheus reads', () => {
  const rules = expressions.map(({ expr }, index) => ({ record: `panel_${index}`, expr }));
  const directory = mkdtempSync(join(tmpdir(), 'flightline-dashboard-'));
  try {
    // YAML reads JSON; promtool 2.42 (Debian 12) reads no standard input.
    const file = join(directory, 'rules.yaml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    const output = execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    expect(output).toContain(`SUCCESS: ${rules.length} rules found`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
