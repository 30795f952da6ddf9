/** The input and the result of a case of the benchmark. */
import type { Site } from './site.ts';
import type { Point } from './statistics.ts';

/** How much to measure. */
export interface Plan {
  quick: boolean;
  /** Pairs of runs with one disk, flightline's and the script's. Everything else is measured once. */
  repeats: number;
  /** The least length of a builder run, by the image's label; equal on both sides. */
  builderSeconds: number;
  /**
   * The same where one disk is made. It is closer to a real builder's minutes, since there is one run and not three.
   */
  oneDiskBuilderSeconds: number;
  /** Releases at once in the largest run of the orchestration. */
  releases: number;
  /** Bytes of the disk that flightline publishes. */
  diskSize: number;
  /** Bytes of the disk that the script publishes. It writes many times that, and its figure is a ratio too. */
  scriptDiskSize: number;
}

export type Unit = 'ratio' | 's' | 'ms' | 'bytes' | 'MB' | 'kB' | 'per second' | 'events' | 'percent' | 'count';

/** A row of the table in bench/RESULTS.md. */
export interface Row {
  case: string;
  measure: string;
  unit: Unit;
  /**
   * Each measurement; for a ratio, flightline's figure ÷ the script's of the same pair. A row without any is not shown.
   */
  values: readonly number[];
  /** The median should be at most, or at least, this. Rows without a target are for information. */
  target?: { most: number } | { least: number };
  /** What one must know to read it. */
  note?: string;
  /**
   * Puts the median into docs/benchmarks.md too: what it is the figure of and, of a ratio, what it is a multiple of.
   */
  headline?: { what: string; times?: string };
}

/** How a figure grows. */
export interface Growth {
  what: string;
  /** What the sizes count: `disks`, `releases`, … */
  of: string;
  unit: Unit;
  points: readonly Point[];
}

export interface Findings {
  rows: Row[];
  growth?: Growth[];
}

interface AnyCase {
  /** For `--only`. */
  name: string;
  /** Takes too long for a quick run, which includes it only by name. */
  notQuick?: true;
}

/** A case that runs on the {@link Site} that cases share. It must leave nothing running there. */
export interface CaseOnSite extends AnyCase {
  onSite: true;
  run(plan: Plan, say: (line: string) => void, site: Site): Promise<Findings>;
}

/** A case that runs before there is a site, which would take some of the cores. */
export interface CaseApart extends AnyCase {
  onSite: false;
  run(plan: Plan, say: (line: string) => void): Promise<Findings>;
}

export type Case = CaseOnSite | CaseApart;

/** Whether a row's median meets its target; `undefined` without a target. */
export function holds(row: Row, median: number): boolean | undefined {
  if (!row.target) return undefined;
  return 'most' in row.target ? median <= row.target.most : median >= row.target.least;
}
