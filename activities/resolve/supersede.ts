/** The `supersede` activity of a nightly run: cancels a release that an earlier night left held. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { ActivityContext, WorkerBody } from '../server.ts';
import type { SupersedeInput } from '../../model/contract/control.ts';

/** Leaves a release alone that is no longer held. */
async function supersede(
  _worker: object,
  { release }: SupersedeInput,
  context: ActivityContext,
): Promise<ActivityAnswer<'supersede'>> {
  const cancelled = await context.server.cancelHeld(release);
  if (cancelled) context.log('INFO', 'a held release makes room for the next night', { release });
  return { cancelled };
}

export default supersede satisfies WorkerBody<'supersede'>;
