/** Promotions, and the approval that they and releases wait for. */
import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { expect, test } from 'vitest';
import { DECIDE_UPDATE, shownDigests, type Decision } from '../../model/release/approval.ts';
import {
  Promotion,
  PROMOTION_QUERY,
  PROMOTION_WORKFLOW,
  PromotionFailure,
  promotionId,
  type PromotionRequest,
} from '../../model/tags/promotion.ts';
import { listQuery } from '../../client/temporal/list-filter.ts';
import { promotionAttributes } from '../../model/release/summaries.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { RECORD_QUERY, ReleaseFailure } from '../../model/contract/workflows.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { RECORDED_SIGNAL, SHARED_TAG_WORKFLOW, sharedTagId } from '../../model/tags/shared-tag.ts';
import { eventually } from '../support/wait.ts';
import { digestOf, idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed, untilCancelled } from './stand-ins.ts';
import { promotionRequest } from './tags.ts';

const house = useHouse('promotion');
const ann: Omit<Decision, 'decision' | 'digests'> = { by: 'ann@laptop', comment: 'tested' };

async function begin(request: PromotionRequest) {
  const { client } = house();
  const id = promotionId(request.target.repository, request.target.tag);
  const handle = await client.workflow.start<(given: PromotionRequest) => Promise<Promotion>>(PROMOTION_WORKFLOW, {
    workflowId: id,
    taskQueue: CONTROL_QUEUE,
    args: [request],
    typedSearchAttributes: promotionAttributes(request.target),
  });
  const state = async () => Promotion.parse(await handle.query(PROMOTION_QUERY));
  const held = () =>
    eventually('held', async () => ((await state()).status === 'held' ? true : undefined), { interval: 50 });
  const decide = async (decision: Decision['decision']) => {
    const digests = (await state()).items.map(({ digest }) => digest);
    return handle.executeUpdate(DECIDE_UPDATE, { args: [{ decision, ...ann, digests }] });
  };
  /** The state that the failure of a promotion carries. */
  const failure = async () => {
    const error = await handle.result().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    const { details } = (error as { cause: { details: unknown[] } }).cause;
    return PromotionFailure.parse(details[0]).promotion;
  };
  return { id, handle, state, held, decide, failure };
}

test(
  'verifies the source, copies, signs and verifies each part, then moves all tags together, then writes the ' +
    'record',
  async () => {
    const { standIns, client } = house();
    const request = promotionRequest('plain');
    const { repository } = request.target;
    // Without its workflow the tag is asked for all the same; with it, it is told of the record.
    const tag = await client.workflow.start(SHARED_TAG_WORKFLOW, {
      workflowId: sharedTagId(repository, 'stable'),
      taskQueue: CONTROL_QUEUE,
      args: [{ repository, tag: 'stable', entries: [] }],
    });
    const { id, handle } = await begin(request);
    const done = await handle.result();
    expect(done).toMatchObject({
      status: 'promoted',
      key: 'release',
      record: digestOf('promoted record'),
      failure: null,
    });
    expect(done.items.map(({ reference, verified, mounted }) => [reference, verified, mounted])).toEqual([
      [`${repository}/diskimage-qcow2:stable`, true, 2],
      [`${repository}:stable`, true, 2],
    ]);
    const part = ['promoteCopy', 'sign', 'verify'];
    expect(standIns.callsOf(id).map(({ activity }) => activity)).toEqual([
      'planPromotion',
      'verify',
      'verify',
      ...part,
      ...part,
      'moveSharedTag',
      'promoteRecord',
    ]);
    expect(standIns.callsOf(id, 'moveSharedTag')[0]!.input).toMatchObject({
      kind: 'promotion',
      by: 'bob@desk',
      why: expect.stringMatching(/^promoted .*plain:v1: to the field$/),
      madeBy: `release/${repository}:v1`,
      moves: [{ repository: `${repository}/diskimage-qcow2` }, { repository, tag: 'stable' }],
    });
    const told = (await tag.fetchHistory()).events?.flatMap(
      ({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName ?? [],
    );
    expect(told).toEqual([RECORDED_SIGNAL]);
    await tag.terminate('end of test');
  },
);

test('waits for approval before anything is copied or signed', async () => {
  const { standIns, client } = house();
  const request = promotionRequest('approved', { approval: 'required' });
  const { id, handle, held, state, decide } = await begin(request);
  await held();
  expect(standIns.callsOf(id).map(({ activity }) => activity)).toEqual(['planPromotion', 'verify', 'verify']);
  expect((await state()).failure).toMatchObject({ kind: 'approval-needed' });
  const query = listQuery({ statuses: ['held'], repository: request.target.repository });
  const listed = async () => (await client.workflow.count(query)).count;
  await eventually('it is listed', async () => ((await listed()) === 1 ? true : undefined), { interval: 50 });
  await decide('approve');
  expect(await handle.result()).toMatchObject({ status: 'promoted', approval: ann, failure: null });
  expect(standIns.callsOf(id, 'promoteRecord')[0]!.input).toMatchObject({ approval: ann });
  const [moved] = standIns.callsOf(id, 'moveSharedTag');
  expect(moved!.input).toMatchObject({ by: 'bob@desk', why: expect.stringContaining(', approved by ann@laptop: ') });
  await eventually('it is no longer listed', async () => ((await listed()) === 0 ? true : undefined), { interval: 50 });
});

test('signs nothing for the name when the tag has become newer while it waited', async () => {
  const { standIns } = house();
  const request = promotionRequest('overtaken', { approval: 'required' });
  standIns.behave(promotionId(request.target.repository, 'stable'), {
    planPromotion: (_, { ordinary }) => {
      if (standIns.callsOf(id, 'planPromotion').length === 1) return ordinary();
      throw failed('back-in-time', 'something later is there');
    },
  });
  const { id, held, decide, failure } = await begin(request);
  await held();
  await decide('approve');
  expect((await failure()).failure).toMatchObject({ kind: 'back-in-time' });
  expect(standIns.callsOf(id, 'promoteCopy', 'sign')).toEqual([]);
});

test('ends when it is rejected, also where only the operator asks for approval', async () => {
  const { standIns } = house();
  const request = promotionRequest('rejected');
  standIns.behave(promotionId(request.target.repository, 'stable'), {
    planPromotion: (_, { ordinary }) => ({ ...ordinary(), approval: true }),
  });
  const { id, held, decide, failure } = await begin(request);
  await held();
  await decide('reject');
  expect((await failure()).failure).toMatchObject({ kind: 'rejected', message: expect.stringContaining('ann@laptop') });
  expect(standIns.callsOf(id, 'promoteCopy', 'sign', 'moveSharedTag')).toEqual([]);
});

test('ends when the tag would go back in time, and when a part cannot be promoted', async () => {
  const { standIns } = house();
  const older = promotionRequest('older');
  standIns.behave(promotionId(older.target.repository, 'stable'), {
    moveSharedTag: (_, { ordinary }) => ({ ...ordinary(), refused: 'something later is there', moved: [] }),
  });
  expect((await (await begin(older)).failure()).failure).toMatchObject({
    kind: 'back-in-time',
    message: expect.stringMatching(/older:stable was not moved: something later is there$/),
  });
  const denied = promotionRequest('denied');
  standIns.behave(promotionId(denied.target.repository, 'stable'), {
    promoteCopy: () => {
      throw failed('registry-denied', 'denied');
    },
  });
  expect((await (await begin(denied)).failure()).failure).toMatchObject({
    kind: 'registry-denied',
    message: 'denied',
    remedy: { then: 'retry' },
  });
});

test('copies again what the registry lost before it could be tagged', async () => {
  const { standIns } = house();
  const request = promotionRequest('lost');
  let moves = 0;
  standIns.behave(promotionId(request.target.repository, 'stable'), {
    moveSharedTag: (_, { ordinary }) =>
      ++moves === 1 ? { ...ordinary(), moved: [], vanished: [digestOf('image of v1')] } : ordinary(),
  });
  const { id, handle } = await begin(request);
  expect(await handle.result()).toMatchObject({ status: 'promoted' });
  expect(standIns.callsOf(id, 'promoteCopy')).toHaveLength(4);
});

test('says which tags have moved, or may have, when it ends before its record is written', async () => {
  const { standIns } = house();
  const unrecorded = promotionRequest('unrecorded');
  standIns.behave(promotionId(unrecorded.target.repository, 'stable'), {
    promoteRecord: () => {
      throw failed('registry-denied', 'no');
    },
  });
  expect((await (await begin(unrecorded)).failure()).failure).toMatchObject({
    kind: 'registry-denied',
    message: expect.stringMatching(/^no \(moved already: .*unrecorded:stable\)$/),
  });
  const request = promotionRequest('cancelled');
  standIns.behave(promotionId(request.target.repository, 'stable'), { moveSharedTag: untilCancelled });
  const { id, handle, state } = await begin(request);
  const moving = async () => (standIns.callsOf(id, 'moveSharedTag').length > 0 ? true : undefined);
  await eventually('its tags are being moved', moving, { interval: 50 });
  await handle.cancel();
  await expect(handle.result()).rejects.toThrow();
  expect(await state()).toMatchObject({
    status: 'cancelled',
    failure: {
      message: expect.stringMatching(/^cancelled before its record was written; it may have moved: .*:stable$/),
    },
  });
});

test('ends, and is not tried for ever, at a fault of the code', async () => {
  const { standIns } = house();
  const request = promotionRequest('fault');
  standIns.behave(promotionId(request.target.repository, 'stable'), {
    // No control worker answers so: a promotion has an image.
    planPromotion: (_, { ordinary }) => ({ ...ordinary(), items: [] }),
  });
  const error = await (await begin(request)).handle.result().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    cause: { type: 'unexpected', message: expect.stringContaining('a fault of flightline') },
  });
});

test('a release waits once all is verified, whatever onFailure says, and a person lets its tags move', async () => {
  const { standIns, start, until, retry } = house();
  const request = requestFor('release', {
    disks: { qcow2: 'artifact' },
    approval: 'required',
    onFailure: 'fail',
    alsoTag: ['stable'],
  });
  const handle = await start(request);
  const record = await until(handle, 'held', ({ status }) => status === 'held');
  expect(record.failure).toMatchObject({
    kind: 'approval-needed',
    remedy: { action: expect.stringContaining('approve RELEASE') },
  });
  expect(record.image.verified && record.disks.every(({ verified }) => verified)).toBe(true);
  expect(record.stages.find(({ name }) => name === 'tag')!.status).toBe('held');
  expect(standIns.callsOf(idOf(request), 'tag', 'moveSharedTag', 'record')).toEqual([]);
  // To go on is not to be approved.
  await retry(handle);
  await until(handle, 'held again', ({ status }) => status === 'held');
  expect(standIns.callsOf(idOf(request), 'tag')).toEqual([]);
  await handle.executeUpdate(DECIDE_UPDATE, { args: [{ decision: 'approve', ...ann, digests: shownDigests(record) }] });
  expect(await handle.result()).toMatchObject({ status: 'released', approval: ann, failure: null });
  expect(standIns.callsOf(idOf(request), 'moveSharedTag')[0]!.input).toMatchObject({ by: ann.by });
  expect(standIns.callsOf(idOf(request), 'record')[0]!.input).toMatchObject({ record: { approval: ann } });
});

test('a release that the operator wants approved ends when it is rejected, and has moved no tag', async () => {
  const { standIns, start, until } = house();
  const request = requestFor('release-rejected', { disks: {} });
  let fixed = false;
  standIns.behave(idOf(request), {
    resolve: (_, { ordinary }) => ({ ...ordinary(), approval: true }),
    verify: (_, { ordinary }) => {
      if (!fixed) throw failed('signature-rejected', 'not signed');
      return ordinary();
    },
  });
  const handle = await start(request);
  // Held for something else: there is nothing to approve yet.
  await until(handle, 'held', ({ failure }) => failure?.kind === 'signature-rejected');
  const reject = async () => {
    const digests = shownDigests(await handle.query<ReleaseRecord>(RECORD_QUERY));
    return handle.executeUpdate(DECIDE_UPDATE, { args: [{ decision: 'reject', ...ann, digests }] });
  };
  await expect(reject()).rejects.toBeInstanceOf(WorkflowUpdateFailedError);
  fixed = true;
  await house().retry(handle);
  await until(handle, 'waiting', ({ failure }) => failure?.kind === 'approval-needed');
  await reject();
  const error = await handle.result().catch((thrown: unknown) => thrown);
  const { details } = (error as { cause: { details: unknown[] } }).cause;
  expect(ReleaseFailure.parse(details[0]).record).toMatchObject({
    status: 'failed',
    failure: { kind: 'rejected', message: expect.stringMatching(/^ann@laptop rejected .*: tested$/) },
  });
  expect(standIns.callsOf(idOf(request), 'tag', 'record')).toEqual([]);
});

test('a release that costs devices too much waits, and says what they would fetch', async () => {
  const { standIns, start, until } = house();
  const request = requestFor('heavy', { disks: {}, maxUpdate: 300_000_000 });
  const cost = { platform: 'linux/amd64', digest: digestOf('before'), bytes: 512_000_000, layers: 60, of: 71 };
  const updates = [{ ...cost, from: `${request.repository}:v1` }];
  standIns.behave(idOf(request), { verify: (_, { ordinary }) => ({ ...ordinary(), updates }) });
  const handle = await start(request);
  const record = await until(handle, 'held', ({ status }) => status === 'held');
  expect(record.image.updates).toEqual(updates);
  expect(record.failure).toMatchObject({
    kind: 'approval-needed',
    message: expect.stringContaining('devices on v1 fetch 512 MB (60 of 71 layers), more than 300 MB (maxUpdate)'),
  });
  const asked = standIns.callsOf(idOf(request), 'verify').map(({ input }) => input);
  expect(asked).toMatchObject([{ update: { from: 'v1', architectures: ['amd64'] } }]);
  expect(standIns.callsOf(idOf(request), 'tag')).toEqual([]);
  const word = { decision: 'approve', ...ann, digests: shownDigests(record) };
  await handle.executeUpdate(DECIDE_UPDATE, { args: [word] });
  const released = await handle.result();
  expect(released).toMatchObject({ status: 'released', approval: ann, image: { updates } });
  const metadata = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
  expect(metadata.currentDetails).toContain('- update: devices on v1 fetch 512 MB (60 of 71 layers)');
});

test('a release that costs devices little waits for nobody', async () => {
  const { standIns, start } = house();
  const request = requestFor('light', { disks: {}, maxUpdate: 300_000_000 });
  const cost = { platform: 'linux/amd64', from: 'r/os:v1', digest: digestOf('before'), bytes: 3e8, layers: 1, of: 2 };
  standIns.behave(idOf(request), { verify: (_, { ordinary }) => ({ ...ordinary(), updates: [cost] }) });
  expect(await (await start(request)).result()).toMatchObject({ status: 'released', image: { updates: [cost] } });
});
