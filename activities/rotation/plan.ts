/** The `planRotation` activity of sign workers: a page of how tags stand between two keys. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { RotationPageInput } from '../../model/contract/sign.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { pageOf } from '../prune/page.ts';
import type { WorkerBody } from '../server.ts';
import { decideRotation, groupRotation } from './decide.ts';
import { withRotationGround } from './ground.ts';

function rotationPage(
  { configuration }: { configuration: WorkerConfiguration },
  { request, from }: RotationPageInput,
): Promise<ActivityAnswer<'planRotation'>> {
  return withRotationGround(configuration, request, async (ground) =>
    pageOf(await decideRotation(ground), from, groupRotation),
  );
}

export default rotationPage satisfies WorkerBody<'planRotation'>;
