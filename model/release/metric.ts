/**
 * The metrics that workers offer besides those of Temporal's SDK (issue 6), as Prometheus reads them: base units, `_total` for
 * counters, and labels with few values only: never a release, a repository or a tag. A row for each;
 * docs/operations.md explains them.
 */

interface MetricRow {
  kind: 'counter' | 'gauge' | 'histogram';
  labels: readonly string[];
  /** What it says, for Prometheus' HELP line. */
  help: string;
}

export const METRICS = {
  flightline_stage_duration_seconds: {
    kind: 'histogram',
    labels: ['stage', 'outcome'],
    help: 'Time that an attempt at a stage took',
  },
  flightline_stage_failures_total: {
    kind: 'counter',
    labels: ['stage', 'kind'],
    help: 'Attempts at a stage that failed, by kind of failure',
  },
  flightline_pushed_bytes_total: {
    kind: 'counter',
    labels: ['what'],
    help: 'Bytes of images and disks pushed, as the registry stores them',
  },
  flightline_holds_total: { kind: 'counter', labels: ['kind'], help: 'Branches that were held, by kind of failure' },
  flightline_releases_ended_total: { kind: 'counter', labels: ['status'], help: 'Releases that ended, by status' },
  flightline_releases: { kind: 'gauge', labels: ['status'], help: 'Releases that run or are held now' },
  flightline_last_success_timestamp_seconds: {
    kind: 'gauge',
    labels: ['workflow'],
    help: 'When a workflow of this type last ended well',
  },
  flightline_workers: {
    kind: 'gauge',
    labels: ['role'],
    help: 'Workers of a role that asked Temporal for work in the last five minutes',
  },
  flightline_disk_free_bytes: {
    kind: 'gauge',
    labels: ['directory'],
    help: 'Bytes free for flightline on the file system of a directory',
  },
  flightline_disk_size_bytes: { kind: 'gauge', labels: ['directory'], help: 'Size of the file system of a directory' },
  flightline_slots_used: { kind: 'gauge', labels: ['slot'], help: 'Slots of the host in use' },
  flightline_slots_limit: { kind: 'gauge', labels: ['slot'], help: 'Slots that the host has' },
  flightline_claims_waiting: { kind: 'gauge', labels: ['slot'], help: 'Claims that wait for a slot of the host' },
  flightline_janitor_removed_total: { kind: 'counter', labels: [], help: 'Things that the janitor removed' },
} as const satisfies Record<`flightline_${string}`, MetricRow>;

export type MetricName = keyof typeof METRICS;
type NamesOf<Kind extends MetricRow['kind']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends Kind ? Name : never;
}[MetricName];
export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
/** A value for each label of a metric. */
export type LabelsOf<Name extends MetricName> = Record<(typeof METRICS)[Name]['labels'][number], string>;

/** Upper bounds of the buckets of stage durations (seconds): registries answer in seconds, disks take an hour. */
export const STAGE_DURATION_BUCKETS = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400];

/** How an attempt at a stage ended. `detached`: its worker stopped, or the server gave the attempt up; the next goes on. */
export const STAGE_OUTCOMES = ['done', 'failed', 'cancelled', 'detached'] as const;
export type StageOutcome = (typeof STAGE_OUTCOMES)[number];

/** The part of a meter of Temporal's SDK that {@link counterOf} needs. */
interface CounterMeter {
  createCounter(name: string, unit?: string, description?: string): { add(value: number, labels?: object): void };
}

/** A counter by the name that Prometheus shows: the SDK's exporter appends `_total` itself. */
export function counterOf<Name extends CounterName>(
  meter: CounterMeter,
  name: Name,
): { add(value: number, labels: LabelsOf<Name>): void } {
  return meter.createCounter(name.replace(/_total$/, ''), '', METRICS[name].help);
}
