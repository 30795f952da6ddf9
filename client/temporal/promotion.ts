/** Reads a promotion as it stands. */
import {
  Promotion,
  PROMOTION_QUERY,
  PROMOTION_WORKFLOW,
  PromotionFailure,
  promotionId,
  promotionTarget,
} from '../../model/tags/promotion.ts';
import { describeWorkflow, REQUEST_TIMEOUT, withTemporal, type Temporal } from './temporal.ts';
import { noControlWorker } from './control.ts';
import { isNotFound, isUnavailable, isWorkerAway, UserError } from '../terminal/errors.ts';
import { namedRun, repositoryAndTag } from './release-name.ts';
import { detailIn, failureOfError } from './failure.ts';

/**
 * A promotion as it stands now; the latest run unless one is named.
 *
 * @throws UserError `unknown-release` (exit code 2), `no-control-worker` (3).
 */
export async function readPromotion(temporal: Temporal, id: string, runId?: string): Promise<Promotion> {
  const handle = temporal.client.workflow.getHandle(id, runId, { followRuns: false });
  const within = <Result>(work: () => Promise<Result>) => temporal.within(REQUEST_TIMEOUT, work);
  try {
    const { status, type } = await within(() => handle.describe());
    if (type !== PROMOTION_WORKFLOW) throw unknown(temporal, id);
    const query = async () => Promotion.parse(await within(() => handle.query(PROMOTION_QUERY)));
    if (status.name === 'RUNNING') return await query();
    if (status.name === 'COMPLETED') return Promotion.parse(await within(() => handle.result()));
    if (status.name === 'CANCELLED') return { ...(await query()), status: 'cancelled' };
    const error = await within(() => handle.result()).catch((thrown: unknown) => thrown);
    return (
      detailIn(error, PromotionFailure)?.promotion ?? {
        ...(await query()),
        status: 'failed',
        failure: failureOfError(error),
      }
    );
  } catch (error) {
    if (isNotFound(error)) throw unknown(temporal, id);
    if (isWorkerAway(error) && !isUnavailable(error)) throw noControlWorker(temporal, `${id} waits for one`);
    throw error;
  }
}

/**
 * Does something with a release, or with the promotion to its name when there is no such release.
 *
 * @param name REPOSITORY:TAG, or a workflow id
 * @throws UserError `usage` before Temporal is asked, `unknown-release`, and whatever is done
 */
export async function withReleaseOrPromotion<Result>(
  name: string,
  does: Record<'release' | 'promotion', (temporal: Temporal, id: string) => Promise<Result>>,
): Promise<Result> {
  if (promotionTarget(name) !== undefined) return withTemporal((temporal) => does.promotion(temporal, name));
  const { id: release, run } = namedRun(name);
  if (run !== undefined) return withTemporal((temporal) => does.release(temporal, release));
  const { repository, tag } = repositoryAndTag(name);
  const promotion = promotionId(repository, tag);
  return withTemporal(async (temporal) => {
    try {
      return await does.release(temporal, release);
    } catch (error) {
      const isUnknown = error instanceof UserError && error.kind === 'unknown-release';
      if (!isUnknown || !(await describeWorkflow(temporal, promotion))) throw error;
      return does.promotion(temporal, promotion);
    }
  });
}

function unknown(temporal: Temporal, id: string): UserError {
  return new UserError(
    'unknown-release',
    `there is no promotion ${id} in Temporal (namespace ${temporal.namespace} at ${temporal.address})`,
    'start one with `flightline promote SOURCE --to TARGET`; `flightline history` shows what a tag pointed at',
  );
}
