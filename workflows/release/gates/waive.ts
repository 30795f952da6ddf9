/** A person's word that what a gate refused is released all the same. Only what is held can be waived. */
import { defineUpdate } from '@temporalio/workflow';
import { z } from 'zod';
import { failureOf, type Failure } from '../../../model/failure/failure.ts';
import { WAIVE_UPDATE, WaiveInput, type Waived } from '../../../model/gate/gate.ts';
import { toTemporalFailure } from '../../failure.ts';
import type { ShownRelease } from '../show.ts';
import { resumeBranch, type ReleaseState } from '../state.ts';
import { refusedNow } from '../gates-state.ts';

export const waiveUpdate = defineUpdate<Waived, [WaiveInput]>(WAIVE_UPDATE);

/** Validates an update. @throws when the gate holds nothing, or not what the person looked at */
export function checkWaiver(state: ReleaseState, input: WaiveInput): void {
  const refusal = refusalOfWaiver(state, input);
  if (refusal) throw toTemporalFailure(refusal, refusal);
}

/** Applies a validated waiver. A branch goes on when no gate refuses anything of it any more. */
export function takeWaiver(release: ShownRelease, { gate, digests, by, comment }: WaiveInput): Waived {
  const { state } = release;
  const before = new Set(refusedNow(state).map(({ branch }) => branch));
  const at = new Date().toISOString();
  for (const digest of new Set(digests)) state.gates.waivers.push({ gate, digest, by, at, comment });
  const after = new Set(refusedNow(state).map(({ branch }) => branch));
  const resumed = [...before].filter((branch) => !after.has(branch));
  for (const branch of resumed) resumeBranch(state, branch);
  if (resumed.length > 0) release.showResumed(resumed);
  else release.changed();
  const { repository, tag } = state.request;
  return { reference: `${repository}:${tag}`, resumed };
}

function refusalOfWaiver(state: ReleaseState, input: WaiveInput): Failure | null {
  const parsed = WaiveInput.safeParse(input);
  if (!parsed.success) return failureOf('invalid-input', z.prettifyError(parsed.error));
  const { gate, digests } = parsed.data;
  const { request } = state;
  const name = `${request.repository}:${request.tag}`;
  const refused = (message: string, action: string) =>
    failureOf('invalid-input', message, { remedy: { action, then: null } });
  const names = (request.gates ?? []).map((one) => one.name);
  if (!names.includes(gate)) {
    const known = names.length === 0 ? 'no gates' : `the gates ${names.join(', ')}`;
    return refused(`${name} has no gate ${gate}: it has ${known}`, 'name a gate of the spec');
  }
  const held = refusedNow(state).flatMap(({ one }) => (one.gate === gate ? [one.digest] : []));
  const look = 'look at it with `flightline status RELEASE`';
  if (held.length === 0) {
    return refused(`the gate ${gate} holds nothing of ${name}: only what is held can be waived`, look);
  }
  const others = digests.filter((digest) => !held.includes(digest));
  if (others.length === 0 && digests.length > 0) return null;
  const what = others.join(', ') || 'what you have seen';
  const message = `the gate ${gate} does not hold ${what}: it holds ${held.join(', ')}`;
  return refused(message, `${look} and \`flightline logs RELEASE gate\`, then waive what you have seen`);
}
