/** The runs of one release: each `flightline run` of its name is one, and the latest hides those before it. */
import { quoted, statusOf } from '../../../model/release/listing.ts';
import { isFinal, searchAttribute, type ReleaseStatus } from '../../../model/stage/stage.ts';
import type { ReleaseRecord } from '../../../model/release/record.ts';
import { UserError } from '../../terminal/errors.ts';
import { namedRun, referenceOf, shortRun } from '../release-name.ts';
import { REQUEST_TIMEOUT, type Temporal } from '../temporal.ts';
import { openRelease, type ReleaseReader } from './release-view.ts';

/** Runs that are looked at. */
const MOST = 200;

const STATUS = searchAttribute('FlightlineStatus');

/** A run of a release, as Temporal lists it. */
interface ReleaseRun {
  runId: string;
  status: ReleaseStatus;
  /** ISO 8601 */
  startedAt: string;
}

/**
 * Opens what `REPOSITORY:TAG` or `REPOSITORY:TAG@RUN` names: the latest run, or that one.
 *
 * @throws UserError `usage`, `unknown-release`, `unknown-run` (exit code 2)
 */
export async function openNamed(temporal: Temporal, name: string): Promise<ReleaseReader> {
  const { id, run } = namedRun(name);
  if (run === undefined) return openRelease(temporal, id);
  const found = chosenRun(await runsOf(temporal, id), id, run);
  return openRelease(temporal, id, found.runId);
}

/**
 * The run whose id begins so. Pure.
 *
 * @throws UserError `unknown-run`
 */
function chosenRun(runs: readonly ReleaseRun[], id: string, run: string): ReleaseRun {
  const found = runs.filter(({ runId }) => runId.startsWith(run));
  if (found.length === 1) return found[0]!;
  const known = runs.map(({ runId }) => shortRun(runId)).slice(0, 5);
  throw new UserError(
    'unknown-run',
    `${found.length === 0 ? 'no run' : 'more than one run'} of ${referenceOf(id)} begins with ${run}`,
    known.length > 0
      ? `its runs are ${known.join(', ')}; flightline list shows them`
      : 'flightline list shows the runs that Temporal still knows',
  );
}

/**
 * The run that made what stands under the name, when the given one made nothing: it was unchanged, or refused before
 * anything was built. Undefined when Temporal knows none.
 */
export async function standingRun(temporal: Temporal, record: ReleaseRecord): Promise<ReleaseReader | undefined> {
  if (!madeNothing(record)) return undefined;
  const runs = await runsOf(temporal, record.release);
  const before = runs.find(({ runId, status }) => runId !== record.runId && status === 'released');
  return before && openRelease(temporal, record.release, before.runId);
}

/** `true` for a release that has ended without a stage beside the first. Pure. */
function madeNothing({ status, stages }: ReleaseRecord): boolean {
  return isFinal(status) && stages.every((row) => row.name === 'resolve' || row.status === 'skipped');
}

/** Newest first. */
async function runsOf(temporal: Temporal, id: string): Promise<ReleaseRun[]> {
  const found: ReleaseRun[] = [];
  await temporal.within(REQUEST_TIMEOUT, async () => {
    const query = `WorkflowId = ${quoted(id)}`;
    for await (const info of temporal.client.workflow.list({ query, pageSize: MOST })) {
      const status = statusOf(info.status.name, info.typedSearchAttributes.get(STATUS));
      found.push({ runId: info.runId, status, startedAt: info.startTime.toISOString() });
      if (found.length >= MOST) break;
    }
  });
  return found.toSorted((left, right) => right.startedAt.localeCompare(left.startedAt));
}
