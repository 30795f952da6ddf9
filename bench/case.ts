/** The input and the result of a case of the benchmark. */
import type { Site } from './site.ts';
import type { Point } from './statistics.ts';

/** How much to measure. */
export interface Plan {
  quick: boolean;
  /** Rounds. In each, a case that compares has one pair of runs, flightline's and the script's. */
  repeats: number;
  /** When everything should have ended (`Date.now()`). What would end later is left out, if possible. */
  until: number;
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
  /** Milliseconds that one more round takes. Without it there is only one. */
  again?: number;
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
  /** Leaves out what there is no time for. It runs last, but keeps its place in the table. */
  shortens?: true;
  /** @param round counted from 0; what is measured once is measured in round 0 */
  run(plan: Plan, say: (line: string) => void, site: Site, round: number): Promise<Findings>;
}

/** A case that runs before there is a site, which would take some of the cores. */
export interface CaseApart extends AnyCase {
  onSite: false;
  run(plan: Plan, say: (line: string) => void): Promise<Findings>;
}

export type Case = CaseOnSite | CaseApart;

/** The cases in the order in which they run: those apart, then those on the site, last those that shorten. */
export function inOrder(cases: readonly Case[]): Case[] {
  const rank = (one: Case) => (one.onSite ? (one.shortens ? 2 : 1) : 0);
  return cases.toSorted((left, right) => rank(left) - rank(right));
}

/** Whether something that takes this many milliseconds ends in time. */
export function hasTimeFor(plan: Pick<Plan, 'until'>, length: number, now: number): boolean {
  return now + length <= plan.until;
}

/** Merges the findings of a further round: joins the values of each row, and keeps the former texts. */
export function together(before: Findings, after: Findings): Findings {
  const key = (row: Row) => `${row.case}\n${row.measure}`;
  const further = new Map(after.rows.map((row) => [key(row), row.values]));
  const rows = before.rows.map((row) => ({ ...row, values: [...row.values, ...(further.get(key(row)) ?? [])] }));
  return { ...before, rows, again: after.again };
}

/** Whether a row's median meets its target; `undefined` without a target. */
export function holds(row: Row, median: number): boolean | undefined {
  if (!row.target) return undefined;
  return 'most' in row.target ? median <= row.target.most : median >= row.target.least;
}
