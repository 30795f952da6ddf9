/** What differs between the gates of two releases. Pure. */
import { z } from 'zod';
import { RecordedGate } from './gate.ts';

export const GateDiff = z.object({
  added: z.array(RecordedGate),
  removed: z.array(RecordedGate),
  /** Gates of one name that do not look the same way. */
  changed: z.array(z.object({ from: RecordedGate, to: RecordedGate })),
});
export type GateDiff = z.infer<typeof GateDiff>;
type GateChange = GateDiff['changed'][number];

/** Compares gates by their names. Their order does not matter. */
export function gateDiff(before: readonly RecordedGate[], next: readonly RecordedGate[]): GateDiff {
  const lacks =
    (gates: readonly RecordedGate[]) =>
    ({ name }: RecordedGate) =>
      !gates.some((one) => one.name === name);
  return {
    added: next.filter(lacks(before)),
    removed: before.filter(lacks(next)),
    changed: next.flatMap((to) => {
      const from = before.find(({ name }) => name === to.name);
      return from && changes({ from, to }).length > 0 ? [{ from, to }] : [];
    }),
  };
}

/** Why what stands has not been looked at by the gates of now, and which of it. */
export function gateReasons({ added, removed, changed }: GateDiff): { on: RecordedGate['on']; reason: string }[] {
  return [
    ...added.map(({ name, on }) => ({ on, reason: `gate ${name} is new` })),
    ...removed.map(({ name, on }) => ({ on, reason: `gate ${name} is gone` })),
    ...changed.flatMap(({ from, to }) =>
      [...new Set([from.on, to.on])].map((on) => ({
        on,
        reason: `gate ${to.name}: ${gateChangeInWords({ from, to })}`,
      })),
    ),
  ];
}

/** `sha256:0123456789ab → sha256:ba9876543210, other arguments` */
export function gateChangeInWords(change: GateChange): string {
  return changes(change).join(', ');
}

function changes({ from, to }: GateChange): string[] {
  const short = ({ digest }: RecordedGate) => digest.slice(0, 'sha256:'.length + 12);
  return [
    ...(from.reference === to.reference ? [] : [`${from.reference} → ${to.reference}`]),
    ...(from.digest === to.digest ? [] : [`${short(from)} → ${short(to)}`]),
    ...(from.arguments === to.arguments ? [] : ['other arguments']),
    ...(from.on === to.on ? [] : [`on ${from.on} → on ${to.on}`]),
    ...(from.network === to.network ? [] : [to.network ? 'with a network' : 'without a network']),
  ];
}
