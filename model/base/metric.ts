/**
 * The metrics that workers offer besides those of Temporal's SDK, named as Prometheus asks: base units, `_total` for
 * counters. Labels have few values: never a release, a repository or a tag. `npm run docs` writes the table in
 * docs/metrics.md from it.
 */

interface MetricRow {
  kind: 'counter' | 'gauge' | 'histogram';
  /** The workers that offer it. */
  role: 'all' | 'control' | 'build';
  labels: readonly string[];
  /** What it measures, for Prometheus' HELP line. */
  help: string;
  /** More for the documentation. */
  note?: string;
}

export const METRICS = {
  flightline_stage_duration_seconds: {
    kind: 'histogram',
    role: 'all',
    labels: ['stage', 'outcome'],
    help: 'Duration of each attempt at a stage',
    note: '`outcome` is `done`, `failed`, `cancelled` or `detached`: the next attempt goes on with a detached one',
  },
  flightline_stage_failures_total: {
    kind: 'counter',
    role: 'all',
    labels: ['stage', 'kind'],
    help: 'Failed attempts at a stage, by kind of failure',
    note: 'the kinds are in [failures.md](failures.md#kinds-of-failure)',
  },
  flightline_pushed_bytes_total: {
    kind: 'counter',
    role: 'build',
    labels: ['what'],
    help: 'Bytes of images and disks pushed, as the registry stores them',
    note: '`what` is `image` or `disk`; layers that the registry already had are counted',
  },
  flightline_credentials_ending: {
    kind: 'gauge',
    role: 'all',
    labels: ['what'],
    help: 'Credentials of a worker that end within two weeks, or have ended',
    note:
      '`what` is `temporal-certificate` or `temporal-key`, a key that is a JSON Web Token; ' +
      'as they were when the worker started',
  },
  flightline_holds_total: {
    kind: 'counter',
    role: 'control',
    labels: ['kind'],
    help: 'Branches that were held, by kind of failure',
  },
  flightline_releases_ended_total: {
    kind: 'counter',
    role: 'control',
    labels: ['status'],
    help: 'Releases that ended, by status',
    note: '`released`, `unchanged`, `failed` or `cancelled`',
  },
  flightline_releases: {
    kind: 'gauge',
    role: 'control',
    labels: ['status'],
    help: 'Open releases, by status',
    note: '`running` or `held`',
  },
  flightline_promotions_held: {
    kind: 'gauge',
    role: 'control',
    labels: [],
    help: 'Promotions that wait for approval',
  },
  flightline_last_success_timestamp_seconds: {
    kind: 'gauge',
    role: 'control',
    labels: ['workflow'],
    help: 'When the newest successful workflow of this type ended',
    note:
      '`release` or `nightly`, of all repositories together, as long as Temporal remembers one; ' +
      '`released` and `unchanged` are successes',
  },
  flightline_workers: {
    kind: 'gauge',
    role: 'control',
    labels: ['role'],
    help: 'Workers of a role that asked Temporal for work in the last five minutes',
  },
  flightline_disk_free_bytes: {
    kind: 'gauge',
    role: 'build',
    labels: ['directory'],
    help: 'Free bytes on the file system of a directory',
    note: 'the work directory and the storage of podman',
  },
  flightline_disk_size_bytes: {
    kind: 'gauge',
    role: 'build',
    labels: ['directory'],
    help: 'Size of the file system of a directory',
  },
  flightline_slots_used: {
    kind: 'gauge',
    role: 'build',
    labels: ['slot'],
    help: 'Slots of the host in use',
    note: '`slot` is `build` or `disk`',
  },
  flightline_slots_limit: { kind: 'gauge', role: 'build', labels: ['slot'], help: 'Slots that the host has' },
  flightline_claims_waiting: {
    kind: 'gauge',
    role: 'build',
    labels: ['slot'],
    help: 'Branches that wait for a slot of the host',
  },
  flightline_janitor_removed_total: {
    kind: 'counter',
    role: 'build',
    labels: [],
    help: 'Containers, files, leases and images that the janitor removed',
  },
} as const satisfies Record<`flightline_${string}`, MetricRow>;

type MetricName = keyof typeof METRICS;
type NamesOf<Kind extends MetricRow['kind']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends Kind ? Name : never;
}[MetricName];
export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
/** A value for each label of a metric. */
export type LabelsOf<Name extends MetricName> = Record<(typeof METRICS)[Name]['labels'][number], string>;

/** Upper bounds of the buckets of stage durations (seconds): registries answer in seconds, disks take an hour. */
export const STAGE_DURATION_BUCKETS = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400];

/**
 * How an attempt at a stage ended. `detached`: its worker stopped or the server gave it up, and the next attempt goes
 * on.
 */
const STAGE_OUTCOMES = ['done', 'failed', 'cancelled', 'detached'] as const;
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
