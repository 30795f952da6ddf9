/** The `supersede` activity of a nightly run: a release that an earlier night left held makes room. */
import type { ControlActivities } from '../../model/contract/contract.ts';
import { SupersedeInput } from '../../model/release/nightly.ts';
import { stage } from '../frame.ts';

/** Makes the activity. One that goes on by now is left alone. */
export function makeSupersede(): ControlActivities['supersede'] {
  return stage('supersede', SupersedeInput, async ({ release }, context) => {
    const cancelled = await context.cancelHeld(release);
    if (cancelled) context.log('INFO', 'a held release makes room for the next night', { release });
    return { cancelled };
  });
}
