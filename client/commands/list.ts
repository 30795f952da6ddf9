/** `flightline list`: what releases there are. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { visibilityQuery, type ListedRelease, type ListFilter } from '../../model/release/listing.ts';
import { RELEASE_WORKFLOW } from '../../model/contract/workflows.ts';
import { RELEASE_STATUSES, searchAttribute, type ReleaseStatus } from '../../model/stage/stage.ts';
import { REQUEST_TIMEOUT, withTemporal, type Temporal } from '../temporal/temporal.ts';
import { grpcDetails, isInvalidArgument, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { referenceOf } from '../temporal/release-name.ts';
import { verb } from '../verb.ts';
import { renderList } from '../view/list.ts';
import { positiveInteger } from '../terminal/arguments.ts';

const STATUS = searchAttribute('FlightlineStatus');
const STAGE = searchAttribute('FlightlineStage');
const HOST = searchAttribute('FlightlineHost');

/** Releases that are looked at first, at least; and those of a page, the most that servers give. */
const FIRST = 100;
const PAGE = 1_000;

export default verb({
  group: 'release',
  summary: 'list the releases',
  description: 'List the releases that Temporal knows, newest first.',
  examples: ['flightline list --limit 5', 'flightline list --status held --repository quay.io/acme --since 2d'],
  json: 'print JSON',

  syntax: (command) =>
    command
      .option(
        '--status <status>',
        'only these: running, held, released, unchanged, failed, cancelled; several with commas',
      )
      .option('--repository <repository>', 'only those of this repository, and of what is below it')
      .option('--since <when>', 'only those started since then: 90m, 12h, 2d, or a date such as 2026-11-23')
      .option('--limit <n>', 'how many at most', positiveInteger, 20),

  async run(_, { limit, ...words }, output) {
    const filter = listFilter(words, new Date());
    return withTemporal(async (temporal) => {
      const releases = await find(temporal, filter, limit);
      output.result(renderList(releases, output.colour.result, Object.keys(filter).length > 0).join('\n'));
      output.document({ releases });
      return EXIT.ok;
    });
  },
});

/**
 * The filter that the command line means. Pure.
 *
 * @throws UserError `usage` (exit code 2).
 */
export function listFilter(
  { status, repository, since }: { status?: string; repository?: string; since?: string },
  now: Date,
): ListFilter {
  return {
    ...(status === undefined ? {} : { statuses: statusesOf(status) }),
    ...(repository === undefined ? {} : { repository: scopeOf(repository) }),
    ...(since === undefined ? {} : { since: sinceOf(since, now) }),
  };
}

function statusesOf(text: string): ReleaseStatus[] {
  return text.split(',').map((word) => {
    const known = RELEASE_STATUSES.find((status) => status === word.trim());
    if (known) return known;
    throw new UserError('usage', `there is no status "${word}"`, `statuses are ${RELEASE_STATUSES.join(', ')}`);
  });
}

function scopeOf(text: string): string {
  // A registry, or a path in it; other characters are in no repository's name.
  if (/^[A-Za-z0-9[][A-Za-z0-9._:/[\]-]*$/.test(text)) return text.replace(/\/+$/, '');
  throw new UserError('usage', `"${text}" is no repository`, 'write it with its registry, without a tag: quay.io/acme');
}

const UNITS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

function sinceOf(text: string, now: Date): string {
  const ago = /^(\d{1,5})([mhdw])$/.exec(text.trim());
  const time = ago
    ? now.getTime() - Number(ago[1]) * UNITS[ago[2]!]!
    : /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?$/.test(text)
      ? Date.parse(text)
      : Number.NaN;
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new UserError('usage', `"${text}" is no time`, 'write 90m, 12h, 2d or 3w, or a date such as 2026-11-23');
}

/**
 * The newest by their start. Temporal on an SQL database sorts by the end, the open ones first, and cannot be asked
 * otherwise: a first look tells since when there are enough, and a second one fetches all since then.
 */
async function find(temporal: Temporal, filter: ListFilter, limit: number): Promise<ListedRelease[]> {
  const first = Math.max(limit, FIRST);
  // One more than is wanted tells whether these are all.
  const some = newestFirst(await read(temporal, filter, first + 1));
  if (some.length <= first) return some.slice(0, limit);
  const since = some[limit - 1]!.startedAt;
  return newestFirst(await read(temporal, { ...filter, since }, Number.POSITIVE_INFINITY)).slice(0, limit);
}

function newestFirst(releases: readonly ListedRelease[]): ListedRelease[] {
  return releases.toSorted((left, right) => right.startedAt.localeCompare(left.startedAt));
}

async function read(temporal: Temporal, filter: ListFilter, most: number): Promise<ListedRelease[]> {
  const query = visibilityQuery(RELEASE_WORKFLOW, filter);
  const found: ListedRelease[] = [];
  try {
    await temporal.within(REQUEST_TIMEOUT, async () => {
      for await (const info of temporal.client.workflow.list({ query, pageSize: Math.min(most, PAGE) })) {
        found.push(listed(info));
        if (found.length >= most) break;
      }
    });
    return found;
  } catch (error) {
    if (!isInvalidArgument(error) || !/search attribute/i.test(grpcDetails(error))) throw error;
    throw new UserError(
      'no-search-attributes',
      `Temporal at ${temporal.address} does not know flightline's search attributes in namespace ${temporal.namespace}`,
      'start a control worker, which creates them: `flightline worker --role control`',
      EXIT.unavailable,
      error,
    );
  }
}

function listed(info: WorkflowExecutionInfo): ListedRelease {
  const attributes = info.typedSearchAttributes;
  return {
    release: info.workflowId,
    runId: info.runId,
    reference: referenceOf(info.workflowId),
    status: statusOf(info.status.name, attributes.get(STATUS)),
    stage: attributes.get(STAGE) ?? null,
    hosts: attributes.get(HOST) ?? [],
    startedAt: info.startTime.toISOString(),
    closedAt: info.closeTime?.toISOString() ?? null,
  };
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
