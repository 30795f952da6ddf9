/** What becomes of what a release has made when its plan changes. */
import { releaseStages } from '../../model/release/stage-table.ts';
import { isOfImage, signingStages } from '../../model/stage/stage.ts';
import { pinnedGates } from './gates/image-gates.ts';
import { forgetWaivers } from './gates-state.ts';
import { keepPlatforms, noImage } from './image-state.ts';
import { dropLeftOut } from './missing/left-out.ts';
import { signedTags, type Plan } from './plan.ts';
import { takeOverDisks } from './reused.ts';
import { discardImage, resetEnd, unsignImage, type ReleaseState } from './state.ts';

/**
 * Takes over the plan that waits, if one does: what its changes do not concern is kept. No branch but those of disks
 * runs now.
 */
export function takeNextPlan(state: ReleaseState): void {
  const { next, plan: before } = state;
  if (!next) return;
  state.next = null;
  state.plan = next;
  state.request = next.request;
  state.refusedSpec = null;
  state.gate.asked = null;
  state.table.reshape(releaseStages(next.request));
  if (before) keepWhatStands(state, before, next);
  takeOver(state, next);
  keepPlatforms(state.image, state.table, next.resolved.kept);
}

function keepWhatStands(state: ReleaseState, before: Plan, next: Plan): void {
  resetEnd(state);
  forgetWaivers(state.gates, before, next);
  if (String(before.request.platforms) !== String(next.request.platforms)) dropLeftOut(state, before);
  const late = ({ request }: Plan) => request.enrollment?.binding === 'late';
  // Late binding is no input of an image, and is looked at as it is built.
  const otherInputs = before.resolved.imageInputs !== next.resolved.imageInputs;
  // Where they look is on its build host, which has it still if it is the same.
  const otherGates = JSON.stringify(pinnedGates('image', before)) !== JSON.stringify(pinnedGates('image', next));
  if (otherInputs || otherGates || (late(next) && !late(before))) {
    discardImage(state);
  } else if (signedTags(before.request).join() !== signedTags(next.request).join()) {
    unsignImage(state);
  }
}

/**
 * Image and disks of an earlier release are this one's: the image is not built, and has been tried on a device. What
 * this release has made itself goes before.
 */
function takeOver(state: ReleaseState, { resolved: { reuse } }: Plan): void {
  state.reused.clear();
  if (!reuse) return;
  if (!state.image.push) {
    state.image = { ...noImage(state.image.host), push: { digest: reuse.digest, host: null } };
    for (const { platform, digest } of reuse.platforms ?? []) {
      state.image.platforms.set(platform, {
        build: null,
        sbom: null,
        push: digest === null ? null : { digest },
        host: null,
      });
    }
    const due = signingStages('image').map(({ name }) => name);
    const change = { status: 'skipped', at: Date.now() } as const;
    state.table.updateAll((row) => isOfImage(row.subject) && !due.includes(row.name), change);
  }
  if (state.image.push?.digest === reuse.digest) takeOverDisks(state, reuse.disks);
}
