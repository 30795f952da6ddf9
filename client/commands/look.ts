/** `flightline list`, `status` and `watch`: what there is, and how it stands. */
import { defineSearchAttributeKey } from '@temporalio/common';
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { RELEASE_WORKFLOW } from '../../spec/messages.ts';
import { promotionTarget } from '../../spec/promotion.ts';
import { RELEASE_STATUSES, type ReleaseStatus } from '../../spec/stage.ts';
import { REQUEST_TIMEOUT, withTemporal, workflowPage } from '../connection.ts';
import { detachable, printEnding } from '../ending.ts';
import { follow } from '../follow.ts';
import type { Output } from '../output.ts';
import { withInterrupt } from '../pause.ts';
import { referenceOf, releaseIdOf } from '../release-name.ts';
import { openRelease } from '../release-view.ts';
import { renderFailure, renderNotes, renderRelease } from '../view/release.ts';
import { renderList, type ListedRelease } from '../view/list.ts';

const STATUS = defineSearchAttributeKey('FlightlineStatus', 'KEYWORD');
const STAGE = defineSearchAttributeKey('FlightlineStage', 'KEYWORD');
const HOST = defineSearchAttributeKey('FlightlineHost', 'KEYWORD_LIST');

/** `flightline list`. */
export async function list(options: { limit: number }, output: Output): Promise<number> {
  return withTemporal(async (temporal) => {
    const releases = await temporal.within(REQUEST_TIMEOUT, async () => {
      const found: ListedRelease[] = [];
      const query = `WorkflowType = '${RELEASE_WORKFLOW}'`;
      for await (const info of temporal.client.workflow.list({ query, pageSize: Math.min(options.limit, 100) })) {
        if (found.length >= options.limit) break;
        found.push(listed(info));
      }
      return found;
    });
    output.result(renderList(releases, output.colour.result).join('\n'));
    output.document({ releases });
    return 0;
  });
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

/** `flightline status RELEASE`. */
export async function status(name: string, output: Output): Promise<number> {
  if (promotionTarget(name) !== undefined) return (await import('./promote.ts')).promotionStatus(name, output);
  const id = releaseIdOf(name);
  return withTemporal(async (temporal) => {
    const reader = await openRelease(temporal, id);
    const view = await reader.read();
    const { record } = view;
    const page = workflowPage(temporal.ui, temporal.namespace, record.release, record.runId);
    output.result(
      [
        ...renderRelease(view, { colour: output.colour.result, columns: undefined, now: Date.now() }),
        ...renderNotes(record, output.colour.result).map((line) => `  ${line}`),
        ...(record.failure ? renderFailure(record.failure, record, output.colour.result) : []),
        ...(page ? [page] : []),
      ].join('\n'),
    );
    output.document(record);
    return 0;
  });
}

/** `flightline watch RELEASE`: to its end, or until it is held. */
export async function watch(name: string, output: Output): Promise<number> {
  if (promotionTarget(name) !== undefined) return (await import('./promote.ts')).watchPromotion(name, output);
  const id = releaseIdOf(name);
  return withTemporal((temporal) =>
    withInterrupt((signal) =>
      detachable(referenceOf(id), async () => {
        const reader = await openRelease(temporal, id);
        return printEnding(await follow(reader, output, { until: 'settled', signal }), temporal, output);
      }),
    ),
  );
}
