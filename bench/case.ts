/** What a case of the benchmark is given, and what it answers. */
import type { Point } from './statistics.ts';

/** How much is measured. */
export interface Plan {
  quick: boolean;
  /** Pairs of runs, flightline and the script in turn. */
  repeats: number;
  /** When all is to have ended (`Date.now()`): what {@link Case.shortens} leaves further pairs out that would not end by then. */
  until: number;
  /** The least length of a builder run, by the image's label: equal on both sides. */
  builderSeconds: number;
  /** The same where one disk is made: nearer to a real builder's minutes, of which one run is waited for and not three. */
  oneDiskBuilderSeconds: number;
  /** Releases at once in the largest run of the orchestration. */
  releases: number;
  /** Bytes of the disk that flightline publishes. */
  diskSize: number;
  /** Bytes of the disk that the script publishes: it writes many times that, and its figure is a ratio too. */
  scriptDiskSize: number;
}

export type Unit = 'ratio' | 's' | 'ms' | 'bytes' | 'MB' | 'kB' | 'per second' | 'events' | 'percent' | 'count';

/** A row of the table. */
export interface Row {
  /** As issue 7 calls it. */
  case: string;
  measure: string;
  unit: Unit;
  /** Each measurement; of a ratio, flightline's figure ÷ the script's of the same pair. Without any the row is not shown. */
  values: readonly number[];
  /** The median is to be at most, or at least, this. Rows without one are there to be read. */
  target?: { most: number } | { least: number };
  /** What one must know to read it. */
  note?: string;
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

export interface Case {
  /** For `--only`. */
  name: string;
  /** Makes fewer pairs of runs when time is short; runs after the others, and stands among them in the table. */
  shortens?: true;
  run(plan: Plan, say: (line: string) => void): Promise<Findings>;
}

/** Whether another pair of runs ends in time, going by the ones before, of `lengths` in milliseconds. The first one always is made. */
export function hasTimeFor(plan: Pick<Plan, 'until'>, lengths: readonly number[], now: number): boolean {
  return lengths.length === 0 || now + Math.max(...lengths) <= plan.until;
}

/** Whether a row's median is where it is to be; `undefined` without a target. */
export function holds(row: Row, median: number): boolean | undefined {
  if (!row.target) return undefined;
  return 'most' in row.target ? median <= row.target.most : median >= row.target.least;
}
