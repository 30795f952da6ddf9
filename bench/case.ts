/** What a case of the benchmark is given, and what it answers. */
import type { Site } from './site.ts';
import type { Point } from './statistics.ts';

/** How much is measured. */
export interface Plan {
  quick: boolean;
  /** Rounds: in each one pair of runs of a case that has any, flightline and the script in turn. */
  repeats: number;
  /** When all is to have ended (`Date.now()`): what would not end by then is left out, if it can be. */
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

/** A row of the table in bench/RESULTS.md. */
export interface Row {
  case: string;
  measure: string;
  unit: Unit;
  /** Each measurement; of a ratio, flightline's figure ÷ the script's of the same pair. Without any the row is not shown. */
  values: readonly number[];
  /** The median is to be at most, or at least, this. Rows without one are there to be read. */
  target?: { most: number } | { least: number };
  /** What one must know to read it. */
  note?: string;
  /** Puts the median into docs/benchmarks.md too: what it is the figure of and, of a ratio, what it is a multiple of. */
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
  /** Milliseconds that one more round takes; without it there is no other. */
  again?: number;
}

interface AnyCase {
  /** For `--only`. */
  name: string;
  /** Takes too long for a quick look, which has it only when it is asked for by name. */
  notQuick?: true;
}

/** What is measured on the one {@link Site} that the cases share; a case leaves nothing of its own on it that runs. */
export interface CaseOnSite extends AnyCase {
  onSite: true;
  /** Leaves out what there is no time for; runs after the others, and stands among them in the table. */
  shortens?: true;
  /** @param round counted from 0; what is measured once is measured in that one. */
  run(plan: Plan, say: (line: string) => void, site: Site, round: number): Promise<Findings>;
}

/** What is measured apart: it runs before there is a site, which would take some of the cores. */
export interface CaseApart extends AnyCase {
  onSite: false;
  run(plan: Plan, say: (line: string) => void): Promise<Findings>;
}

export type Case = CaseOnSite | CaseApart;

/** The cases in the order in which they run: those apart, then those on the site, and what shortens last. */
export function inOrder(cases: readonly Case[]): Case[] {
  const rank = (one: Case) => (one.onSite ? (one.shortens ? 2 : 1) : 0);
  return cases.toSorted((left, right) => rank(left) - rank(right));
}

/** Whether what takes so many milliseconds ends in time. */
export function hasTimeFor(plan: Pick<Plan, 'until'>, length: number, now: number): boolean {
  return now + length <= plan.until;
}

/** What was found with what one more round found: values of the same row stand together, and the former's words stay. */
export function together(before: Findings, after: Findings): Findings {
  const key = (row: Row) => `${row.case}\n${row.measure}`;
  const further = new Map(after.rows.map((row) => [key(row), row.values]));
  const rows = before.rows.map((row) => ({ ...row, values: [...row.values, ...(further.get(key(row)) ?? [])] }));
  return { ...before, rows, again: after.again };
}

/** Whether a row's median is where it is to be; `undefined` without a target. */
export function holds(row: Row, median: number): boolean | undefined {
  if (!row.target) return undefined;
  return 'most' in row.target ? median <= row.target.most : median >= row.target.least;
}
