/** The gates on a built image, or on that of one platform. */
import type { Architecture } from '../../../model/base/host.ts';
import { gatesOn, type PinnedGate, type RequestedGate } from '../../../model/gate/gate.ts';
import { imageSubject } from '../../../model/stage/stage.ts';
import type { ClaimedHost } from '../../host/claimed-host.ts';
import type { Plan } from '../plan.ts';
import type { ShownRelease } from '../show.ts';
import { hasPassed } from '../gates-state.ts';
import { passGates } from './pass-gates.ts';

/** The gates of a plan, with what the names of their images pointed at. */
export function pinnedGates(on: RequestedGate['on'], { request, resolved }: Plan): PinnedGate[] {
  return gatesOn(on, request.gates).map((gate) => {
    const pinned = resolved.gates?.find(({ name }) => name === gate.name);
    if (!pinned) throw new Error(`the image of the gate ${gate.name} was not resolved`);
    return { ...gate, digest: pinned.digest };
  });
}

/** The stage `gate`, unless the gates have passed this image. @throws StageFailed `gate` */
export async function passImage(
  release: ShownRelease,
  plan: Plan,
  host: ClaimedHost,
  { imageId, platform }: { imageId: string; platform: Architecture | undefined },
): Promise<void> {
  const gates = pinnedGates('image', plan);
  if (gates.length === 0) return;
  const { state, table } = release;
  const branch = imageSubject(platform);
  const of = JSON.stringify([imageId, gates]);
  if (hasPassed(branch, of, state.gates)) {
    table.update('gate', branch, { status: 'done', at: Date.now() });
    return;
  }
  const { repository, tag, timing } = plan.request;
  const { waivers } = state.gates;
  const input = {
    ...state.identity,
    branch,
    ...(platform && { platform }),
    reference: `${repository}:${tag}`,
    gates,
    looksAt: { imageId },
    ...(waivers.length > 0 && { waivers: [...waivers] }),
    timing,
  };
  const told = (verdicts: Parameters<typeof state.gates.said.set>[1]['verdicts']) =>
    void state.gates.said.set(branch, { of, verdicts });
  await passGates(release, host, input, { work: 'build', told });
}
