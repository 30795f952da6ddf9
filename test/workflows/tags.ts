/** Shared tags and promotions for tests and recordings. */
import { WithStartWorkflowOperation } from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
import type { PromotionRequest } from '../../model/tags/promotion.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import {
  HISTORY_QUERY,
  MOVE_UPDATE,
  ROLLBACK_UPDATE,
  SHARED_TAG_WORKFLOW,
  sharedTagId,
  TagHistory,
  type MoveInput,
  type MoveResult,
  type RollbackInput,
  type RollbackResult,
} from '../../model/tags/shared-tag.ts';
import { digestOf, requestFor } from './facts.ts';
import type { House } from './house.ts';

/** A time of one hour. */
export const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();

/** A tag with a registry of its own: what it points at is what was moved there last. */
export function openSharedTag({ client, standIns }: House, name: string, messagesPerRun?: number) {
  const { repository, recordRepository, timing, key } = requestFor(name);
  const id = sharedTagId(repository, 'stable');
  const registry = { digest: null as string | null, atOnce: 0, most: 0, order: [] as string[] };
  standIns.behave(id, {
    lookAtTag: (_, { attempt }) => ({ attempts: attempt, digest: registry.digest, record: null }),
    tag: async ({ moves }, { ordinary }) => {
      registry.most = Math.max(registry.most, ++registry.atOnce);
      await new Promise((resolve) => setTimeout(resolve, 50));
      registry.digest = moves.find((move) => move.repository === repository)!.digest;
      registry.order.push(registry.digest);
      registry.atOnce -= 1;
      return ordinary();
    },
  });
  const send = <Result>(update: string, input: object) =>
    client.workflow.executeUpdateWithStart<Workflow, Result, [object]>(update, {
      args: [input],
      startWorkflowOperation: new WithStartWorkflowOperation(SHARED_TAG_WORKFLOW, {
        workflowId: id,
        taskQueue: CONTROL_QUEUE,
        workflowIdConflictPolicy: 'USE_EXISTING',
        args: [{ repository, tag: 'stable', entries: [], ...(messagesPerRun && { messagesPerRun }) }],
      }),
    });
  const move = (image: string, minute: number, more: Partial<MoveInput> = {}) =>
    send<MoveResult>(MOVE_UPDATE, {
      release: `release/${repository}:${image}`,
      runId: 'run',
      kind: 'release',
      madeBy: `release/${repository}:${image}`,
      made: at(minute),
      by: null,
      why: `released ${image}`,
      allowOlder: false,
      key,
      recordRepository,
      moves: [{ repository, tag: 'stable', digest: digestOf(image), expected: 'any' }],
      timing,
      ...more,
    } satisfies MoveInput);
  const rollback = (to: string | null) =>
    send<RollbackResult>(ROLLBACK_UPDATE, {
      recordRepository,
      to,
      by: 'ann',
      why: 'it is bad',
      timing,
    } satisfies RollbackInput);
  const history = async () => TagHistory.parse(await client.workflow.getHandle(id).query(HISTORY_QUERY)).entries;
  return { id, repository, registry, move, rollback, history, standIns, client };
}

/** A promotion of v1 to stable. */
export function promotionRequest(name: string, more: Partial<PromotionRequest> = {}): PromotionRequest {
  const { repository, recordRepository, timing } = requestFor(name);
  return {
    schemaVersion: 1,
    source: { repository, tag: 'v1' },
    recordRepository,
    target: { repository, tag: 'stable' },
    key: null,
    allowOlder: false,
    by: 'bob@desk',
    comment: 'to the field',
    timing,
    ...more,
  };
}
