/** What a release knows of its gates: what each said, and what people waived. Plain data. */
import type { Failure } from '../../model/failure/failure.ts';
import { gateDiff } from '../../model/gate/gate-diff.ts';
import { waiverOf, type GateVerdict, type Waiver } from '../../model/gate/gate.ts';
import type { StageTable } from '../../model/release/stage-table.ts';
import type { Plan } from './plan.ts';

export interface GatesState {
  /** What gates said of a branch last, and of what: another image or other gates are another text. */
  readonly said: Map<string, { of: string; verdicts: readonly GateVerdict[] }>;
  readonly waivers: Waiver[];
}

export function noGates(): GatesState {
  return { said: new Map(), waivers: [] };
}

/** What of a release is needed here. */
interface Gated {
  readonly gates: GatesState;
  readonly table: StageTable;
  readonly plan: Plan | null;
  readonly holds: ReadonlyMap<string, Failure>;
}

/** A verdict, once a person's word on it is known. */
function judged(verdict: GateVerdict, { waivers }: GatesState): GateVerdict {
  const waiver = verdict.verdict === 'refused' ? waiverOf(verdict, waivers) : undefined;
  if (!waiver) return verdict;
  const { by, at, comment } = waiver;
  return { ...verdict, verdict: 'waived', waiver: { by, at, comment } };
}

/** What gates said of a branch. */
function verdictsOn(branch: string, gates: GatesState): GateVerdict[] {
  return (gates.said.get(branch)?.verdicts ?? []).map((one) => judged(one, gates));
}

/** `true` when the gates were asked about exactly this, and nothing is refused any more. */
export function hasPassed(branch: string, of: string, gates: GatesState): boolean {
  return gates.said.get(branch)?.of === of && verdictsOn(branch, gates).every(({ verdict }) => verdict !== 'refused');
}

/** A person has waived what a gate said, and not what another one will say under its name. */
export function forgetWaivers({ waivers }: GatesState, before: Plan, next: Plan): void {
  const { removed, changed } = gateDiff(before.resolved.gates ?? [], next.resolved.gates ?? []);
  const others = [...removed, ...changed.map(({ to }) => to)].map(({ name }) => name);
  waivers.splice(0, waivers.length, ...waivers.filter(({ gate }) => !others.includes(gate)));
}

/** For the record: of what the release made, and of what it took over. */
export function allVerdicts({ gates, table, plan }: Omit<Gated, 'holds'>): GateVerdict[] {
  const rows = table.rows.filter(({ name }) => name === 'gate').map(({ subject }) => subject);
  const own = rows.flatMap((branch) => verdictsOn(branch, gates));
  const isOwn = (one: GateVerdict) => own.some(({ gate, subject }) => gate === one.gate && subject === one.subject);
  return [...(plan?.resolved.gated ?? []).filter((one) => !isOwn(one)), ...own];
}

/** What a gate refuses and holds now, by branch. */
export function refusedNow({ gates, holds }: Pick<Gated, 'gates' | 'holds'>): { branch: string; one: GateVerdict }[] {
  const held = [...holds].flatMap(([branch, { kind }]) => (kind === 'gate' ? [branch] : []));
  return held.flatMap((branch) =>
    verdictsOn(branch, gates).flatMap((one) => (one.verdict === 'refused' ? [{ branch, one }] : [])),
  );
}
