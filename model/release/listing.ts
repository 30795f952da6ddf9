/** The rows of `flightline list`, and its visibility query. Pure. */
import { z } from 'zod';
import { RELEASE_STATUSES, type ReleaseStatus } from '../stage/stage.ts';

/** One run of a release in Temporal's visibility, or a promotion that runs or waits. */
export const ListedRelease = z.object({
  /** The workflow id. */
  release: z.string(),
  runId: z.string(),
  /** `repository:tag`; of a promotion `promote/repository:tag`. */
  reference: z.string(),
  status: z.enum(RELEASE_STATUSES),
  /** The earliest unfinished stage, or the one that ended the release; null when there is none. */
  stage: z.string().nullable(),
  hosts: z.array(z.string()),
  /** ISO 8601, UTC. */
  startedAt: z.string(),
  /** Null while it is open. */
  closedAt: z.string().nullable(),
});
export type ListedRelease = z.infer<typeof ListedRelease>;

/** The document of `flightline list --json`: newest first. */
export const ReleaseList = z.object({ releases: z.array(ListedRelease) });

/** Which releases to list. What is absent filters nothing. */
export interface ListFilter {
  statuses?: readonly ReleaseStatus[];
  /** A repository, or a registry or path above repositories. */
  repository?: string;
  /** ISO 8601. */
  since?: string;
}

/**
 * The query for each status. The server says how a workflow ended, also when it was terminated; the attribute tells
 * apart what ends alike.
 */
const CONDITIONS: Record<ReleaseStatus, string> = {
  running: `ExecutionStatus = 'Running' AND (FlightlineStatus != 'held' OR FlightlineStatus IS NULL)`,
  held: `ExecutionStatus = 'Running' AND FlightlineStatus = 'held'`,
  released: `ExecutionStatus = 'Completed' AND (FlightlineStatus != 'unchanged' OR FlightlineStatus IS NULL)`,
  unchanged: `ExecutionStatus = 'Completed' AND FlightlineStatus = 'unchanged'`,
  failed: `ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')`,
  cancelled: `ExecutionStatus = 'Canceled'`,
};

/** The list filter (docs.temporal.io, "List Filters") for workflows of a type. */
export function visibilityQuery(workflowType: string, filter: ListFilter = {}): string {
  const { statuses, repository, since } = filter;
  return [
    `WorkflowType = ${quoted(workflowType)}`,
    ...(statuses ? [`(${statuses.map((status) => `(${CONDITIONS[status]})`).join(' OR ')})`] : []),
    ...(repository === undefined
      ? []
      : [
          `(FlightlineRepository = ${quoted(repository)} OR FlightlineRepository STARTS_WITH ` +
            `${quoted(`${repository}/`)})`,
        ]),
    ...(since === undefined ? [] : [`StartTime >= ${quoted(since)}`]),
  ].join(' AND ');
}

/** A value in a list filter: an SQL string with backslash escapes. */
export function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** The status of a listed run. The server's word counts where it differs from the attribute. */
export function statusOf(execution: string, attribute: string | undefined): ReleaseStatus {
  const known = RELEASE_STATUSES.find((name) => name === attribute);
  switch (execution) {
    case 'RUNNING':
      return known === 'held' ? 'held' : 'running';
    case 'COMPLETED':
      return known === 'unchanged' ? 'unchanged' : 'released';
    case 'CANCELLED':
      return 'cancelled';
    default:
      return 'failed';
  }
}
