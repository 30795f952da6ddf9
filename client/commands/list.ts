/** `flightline list`: what releases there are. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { webUiList } from '../../model/base/web-ui.ts';
import { statusOf, type ListedRelease, type ListFilter } from '../../model/release/listing.ts';
import { searchAttribute } from '../../model/stage/stage.ts';
import { REQUEST_TIMEOUT, withTemporal, type Temporal } from '../temporal/temporal.ts';
import { grpcDetails, isInvalidArgument, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { referenceOf } from '../temporal/release-name.ts';
import { verb } from '../verb.ts';
import { renderList } from '../view/list.ts';
import { positiveInteger } from '../terminal/arguments.ts';
import { listFilter, listQuery } from '../temporal/list-filter.ts';

const STATUS = searchAttribute('FlightlineStatus');
const STAGE = searchAttribute('FlightlineStage');
const HOST = searchAttribute('FlightlineHost');

/** Releases that are looked at first, at least; and those of a page, the most that servers give. */
const FIRST = 100;
const PAGE = 1_000;

export default verb({
  group: 'release',
  summary: 'list the releases',
  description: 'List the releases that Temporal knows, and the promotions that run or wait, newest first.',
  examples: ['flightline list --limit 5', 'flightline list --status held --repository quay.io/acme --since 2d'],
  json: { help: 'print JSON', schemas: ['list'] },

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
      const filtered = Object.keys(filter).length > 0;
      const shown = renderList(releases, { colour: output.colour.result, columns: output.columns, filtered });
      output.result(shown.join('\n'));
      if (temporal.ui) output.note(`in the Web UI: ${webUiList(temporal.ui, temporal.namespace, listQuery(filter))}`);
      output.document({ releases });
      return EXIT.ok;
    });
  },
});

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
  const query = listQuery(filter);
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
