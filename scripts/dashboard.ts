/** The Grafana dashboard of deploy/, made from the list of metrics: each has a panel. Pure. */
import { LegendDisplayMode, LegendPlacement, VizLegendOptionsBuilder } from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  RowBuilder,
  type Dashboard,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { METRICS } from '../model/base/metric.ts';

type Metric = (typeof METRICS)[keyof typeof METRICS];

/** Headings, by the workers that offer what is below them. */
const ROWS: Record<Metric['role'], string> = { control: 'Releases', all: 'Stages', build: 'Build hosts' };
/** A line's figure is over this time: releases are few. */
const OVER = '1h';
const HALF = 12;

/** A line of a panel. */
interface Line {
  expr: string;
  legend: string;
}

/** The dashboard as Grafana reads it. */
export function dashboard(): Dashboard {
  const made = new DashboardBuilder('flightline')
    .uid('flightline')
    .description('Releases, stages, build hosts: docs/metrics.md says what each figure is.')
    .tags(['flightline'])
    .refresh('1m')
    .time({ from: 'now-24h', to: 'now' })
    .timezone('browser')
    .readonly()
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'));
  for (const [role, heading] of Object.entries(ROWS)) {
    made.withRow(new RowBuilder(heading));
    for (const [name, metric] of Object.entries(METRICS)) {
      if (metric.role === role) made.withPanel(panel(name, metric));
    }
  }
  return made.build();
}

function panel(name: string, metric: Metric): PanelBuilder {
  const made = new PanelBuilder()
    .title(metric.kind === 'counter' ? `${metric.help}, over ${OVER}` : metric.help)
    .description(name)
    .datasource({ type: 'prometheus', uid: '${datasource}' })
    .unit(unitOf(name))
    .min(0)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    )
    .span(HALF);
  for (const [index, { expr, legend }] of linesOf(name, metric).entries()) {
    made.withTarget(new DataqueryBuilder().refId('ABC'[index]!).expr(expr).legendFormat(legend));
  }
  return made;
}

/** The expressions of a metric. All control workers report the same, hence `max`. */
function linesOf(name: string, { kind, role, labels }: Metric): Line[] {
  if (kind === 'histogram') {
    const [stage] = labels;
    return [0.5, 0.95].map((part) => ({
      expr: `histogram_quantile(${part}, sum by (${stage}, le) (rate(${name}_bucket[${OVER}])))`,
      legend: `{{${stage}}}, ${part * 100} % at most`,
    }));
  }
  const by = [...(role === 'build' ? ['host'] : []), ...labels];
  const grouped = by.length > 0 ? ` by (${by.join(', ')})` : '';
  const legend = by.map((label) => `{{${label}}}`).join(' ') || 'all';
  if (kind === 'counter') return [{ expr: `sum${grouped} (increase(${name}[${OVER}]))`, legend }];
  if (name.endsWith('_timestamp_seconds')) return [{ expr: `time() - max${grouped} (${name})`, legend }];
  return [{ expr: `max${grouped} (${name})`, legend }];
}

function unitOf(name: string): string {
  if (name.includes('_seconds')) return 's';
  return name.includes('_bytes') ? 'bytes' : 'short';
}
