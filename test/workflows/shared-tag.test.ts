/** A shared tag's workflow: in turn, never back in time, with a history that outlives its runs. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { expect, test } from 'vitest';
import { RECORDED_SIGNAL } from '../../model/tags/shared-tag.ts';
import { eventually } from '../support/wait.ts';
import { digestOf, idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed } from './stand-ins.ts';
import { at, openSharedTag } from './tags.ts';

const house = useHouse('shared-tag');
test('moves one after the other, never back in time unless told to, and tells what it pointed at', async () => {
  const tag = openSharedTag(house(), 'in-turn');
  await tag.move('a', 1);
  // Two releases that end at once, the older one's message second.
  const both = await Promise.all([tag.move('c', 3), tag.move('b', 2)]);
  expect(tag.registry.most).toBe(1);
  expect(tag.registry.digest).toBe(digestOf('c'));
  const refusals = both.map(({ refused }) => refused);
  expect(refusals[0]).toBeNull();
  // Whichever came first: the older one was moved before, or refused after.
  expect(tag.registry.order.at(-1)).toBe(digestOf('c'));
  expect(refusals[1] === null ? tag.registry.order : [refusals[1]]).toEqual(
    refusals[1] === null
      ? [digestOf('a'), digestOf('b'), digestOf('c')]
      : [expect.stringMatching(/of .*in-turn:c, which began later/)],
  );
  expect(await tag.move('a', 1)).toMatchObject({ refused: expect.stringContaining('later'), moved: [] });
  expect(tag.registry.digest).toBe(digestOf('c'));
  expect(await tag.move('a', 1, { allowOlder: true, kind: 'promotion', by: 'ann' })).toMatchObject({ refused: null });
  expect(tag.registry.digest).toBe(digestOf('a'));
  const entries = await tag.history();
  expect(entries.at(-1)).toMatchObject({ kind: 'promotion', digest: digestOf('a'), by: 'ann', made: at(1) });
  await tag.client.workflow.getHandle(tag.id).terminate('end of test');
});

test('remembers across runs, and rolls back to the record before', async () => {
  const tag = openSharedTag(house(), 'remembers', 2);
  const first = tag.client.workflow.getHandle(tag.id);
  await tag.move('a', 1);
  await first.signal(RECORDED_SIGNAL, { digest: digestOf('image of x'), record: digestOf('not known') });
  const { runId } = await first.describe();
  // The tag's image is told by its record in this house: a rollback goes where the record says.
  await first.signal(RECORDED_SIGNAL, { digest: digestOf('a'), record: digestOf('record of a') });
  await tag.move('b', 2);
  await tag.move('c', 3);
  await eventually('a new run', async () => (await first.describe()).runId !== runId || undefined);
  expect((await tag.history()).map(({ digest }) => digest)).toEqual(['a', 'b', 'c'].map(digestOf));
  await expect(tag.rollback(null)).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/no signed record of sha256/) },
  });
  await first.signal(RECORDED_SIGNAL, { digest: digestOf('b'), record: digestOf('record of b') });
  const { from, to } = await tag.rollback(null);
  expect(from).toMatchObject({ digest: digestOf('c') });
  expect(to).toMatchObject({ kind: 'rollback', record: digestOf('record of b'), by: 'ann', why: 'it is bad' });
  expect(tag.registry.digest).toBe(digestOf(`image of ${digestOf('record of b')}`));
  // A release that had begun before does not undo it.
  expect(await tag.move('d', 4)).toMatchObject({ refused: expect.stringContaining('ann rolled it back') });
  await first.terminate('end of test');
});

test('notes what somebody else did, and what a failed move did all the same', async () => {
  const tag = openSharedTag(house(), 'notes');
  tag.registry.digest = digestOf('by hand');
  let fails = true;
  tag.standIns.behave(tag.id, {
    lookAtTag: (_, { attempt }) => ({ attempts: attempt, digest: tag.registry.digest, record: null }),
    tag: ({ moves }, { ordinary }) => {
      tag.registry.digest = moves.at(-1)!.digest;
      if (fails) throw failed('registry-denied', 'denied');
      return ordinary();
    },
  });
  const error = await tag.move('a', 1).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
  expect(error).toMatchObject({ cause: { type: 'registry-denied', message: 'denied' } });
  fails = false;
  expect(await tag.move('a', 1)).toMatchObject({ refused: null });
  expect((await tag.history()).map(({ kind, digest }) => [kind, digest])).toEqual([
    ['found', digestOf('by hand')],
    ['release', digestOf('a')],
  ]);
  await tag.client.workflow.getHandle(tag.id).terminate('end of test');
});

test('keeps what a release has made its own while a promotion waited', async () => {
  const tag = openSharedTag(house(), 'own-tag');
  const own = { digest: digestOf('record of stable'), release: `release/${tag.repository}:stable`, made: at(1) };
  tag.standIns.behave(tag.id, {
    lookAtTag: (_, { attempt }) => ({ attempts: attempt, digest: digestOf('stable'), record: own }),
  });
  await expect(tag.move('a', 2, { kind: 'promotion', allowOlder: true })).rejects.toMatchObject({
    cause: { type: 'tag-exists', message: expect.stringContaining("is a release's own tag") },
  });
  expect(tag.standIns.callsOf(tag.id, 'tag')).toEqual([]);
  // It may be moved along by a release that has it in alsoTag.
  expect(await tag.move('b', 3)).toMatchObject({ refused: null });
  await tag.client.workflow.getHandle(tag.id).terminate('end of test');
});

test('refuses what its code has no answer to, and goes on', async () => {
  const tag = openSharedTag(house(), 'fault');
  tag.standIns.behave(tag.id, {
    lookAtTag: (_, { attempt }) => ({ attempts: attempt, digest: null, record: null }),
    // No control worker answers so: a rollback moves the image.
    planRollback: (_, { ordinary }) => ({ ...ordinary(), moves: [] }),
  });
  await expect(tag.rollback(digestOf('record of a'))).rejects.toMatchObject({
    cause: { type: 'unexpected', message: expect.stringContaining('a fault of flightline') },
  });
  expect(await tag.move('b', 1)).toMatchObject({ refused: null });
  await tag.client.workflow.getHandle(tag.id).terminate('end of test');
});

test('a release tells in its record what was refused, and its record takes only the tags that moved', async () => {
  const request = requestFor('refused', { alsoTag: ['nightly', 'stable'], disks: {} });
  const { standIns, start } = house();
  standIns.behave(idOf(request), {
    moveSharedTag: ({ moves }, { ordinary }) =>
      moves[0]!.tag === 'stable' ? { ...ordinary(), refused: 'something later is there', moved: [] } : ordinary(),
  });
  const record = await (await start(request)).result();
  expect(record).toMatchObject({
    status: 'released',
    warnings: [`${request.repository}:stable was not moved: something later is there`],
  });
  const [tag] = standIns.callsOf(idOf(request), 'tag');
  expect(tag!.input).toMatchObject({ moves: [{ tag: 'v1' }] });
  const [written] = standIns.callsOf(idOf(request), 'record');
  expect(written!.input).toMatchObject({
    tags: ['v1', 'nightly'],
    shared: { tags: ['nightly'], repository: request.repository },
    record: { warnings: record.warnings },
  });
});
