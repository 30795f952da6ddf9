/** The alert rules: promtool accepts and tries them, and they use metrics that workers have. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { METRICS } from '../../../../model/base/metric.ts';
import { alertRules, metricsIn, selectorsIn } from '../../../support/metrics.ts';
import { rowsOf, sectionOf, spansOf } from '../../../support/readme.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const TESTS = join(import.meta.dirname, 'alerts.yaml');

const document = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8');
/** What is in code in the first columns of the tables of a section. */
const listed = (heading: string) => rowsOf(sectionOf(document, heading)).flatMap(([first = '']) => spansOf(first));

describe('deploy/alerts.yaml', () => {
  it('is a file of rules that Prometheus reads', () => {
    const output = execFileSync('promtool', ['check', 'rules', join(ROOT, 'deploy/alerts.yaml')], { encoding: 'utf8' });
    expect(output).toContain(`SUCCESS: ${alertRules().length} rules found`);
  });

  it('raises each alert when it must, and only then', () => {
    const output = execFileSync('promtool', ['test', 'rules', TESTS], { encoding: 'utf8' });
    expect(output).toContain('SUCCESS');
    const { tests } = parse(readFileSync(TESTS, 'utf8')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
    };
    const cases = tests.flatMap((one) => one.alert_rule_test);
    const raised = cases.filter((one) => one.exp_alerts.length > 0).map((one) => one.alertname);
    expect(raised.toSorted()).toEqual(
      alertRules()
        .map(({ alert }) => alert)
        .toSorted(),
    );
    // promtool takes seconds on a busy machine.
  }, 60_000);

  it('asks for metrics and labels that there are', () => {
    const selectors = alertRules().flatMap(({ expr }) => selectorsIn(expr));
    // What Prometheus itself says of whom it asks.
    const own = selectors.filter(({ name }) => name !== 'up');
    expect(own.length).toBeGreaterThan(5);
    const wrong = own.filter(({ name, labels }) => {
      const metric = Object.entries(METRICS).find(([known]) => known === name)?.[1];
      return !metric || labels.some((label) => !(metric.labels as readonly string[]).includes(label));
    });
    expect(wrong).toEqual([]);
  });

  it('is explained alert by alert', () => {
    expect(listed('## Alerts').toSorted()).toEqual(
      alertRules()
        .map(({ alert }) => alert)
        .toSorted(),
    );
  });
});

describe('the metrics', () => {
  it('are explained, every one', () => {
    const own = listed('## Metrics').filter((name) => name.startsWith('flightline_'));
    expect(own.toSorted()).toEqual(Object.keys(METRICS).toSorted());
  });

  it('are named as Prometheus asks for: base units, counters end in _total', () => {
    const wrong = Object.entries(METRICS).filter(
      ([name, { kind }]) =>
        (kind === 'counter') !== name.endsWith('_total') ||
        /_(?:ms|milliseconds|minutes|kb|mb|percent)(?:_|$)/.test(name),
    );
    expect(wrong).toEqual([]);
  });
});

describe('metrics in an expression', () => {
  it.each([
    ['max(flightline_releases{status="held"}) > 0', ['flightline_releases']],
    ['rate(a_total[1h]) / on (host) b_seconds_bucket{le="5"} < time() - 3 * 60', ['a_total', 'b_seconds_bucket']],
    ['sum by (host, stage) (increase(x{stage=~"build|disk-build"}[1h])) > 3', ['x']],
  ])('%s', (expression, names) => {
    expect(metricsIn(expression)).toEqual(names);
  });
});
