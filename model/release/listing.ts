/** What `flightline list` shows, and the visibility query behind it. Pure. */
import { z } from 'zod';
import { RELEASE_STATUSES, type ReleaseStatus } from '../stage/stage.ts';

/** One run of a release, as Temporal's visibility knows it. */
export const ListedRelease = z.object({
  /** The workflow id. */
  release: z.string(),
  runId: z.string(),
  /** `repository:tag`. */
  reference: z.string(),
  status: z.enum(RELEASE_STATUSES),
  /** Earliest unfinished stage; at an end the one that ended it; null when there is none. */
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

/** Which releases to list; everything that is absent lets all through. */
export interface ListFilter {
  statuses?: readonly ReleaseStatus[];
  /** A repository, or what repositories are below: a registry, a path in it. */
  repository?: string;
  /** ISO 8601. */
  since?: string;
}

/**
 * A status as visibility knows it: how the workflow ended is the server's own word, which also knows of releases that
 * were terminated; the attribute tells apart what ends alike.
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

/** A value in a list filter, which has SQL's strings with backslash escapes. */
export function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** The status of a listed run: the server's word when it has ended otherwise than the attribute says. */
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
