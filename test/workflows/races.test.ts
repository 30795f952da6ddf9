/**
 * What people say while a release is busy with something else: orders of events in which an older release came apart.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowUpdateFailedError, type WorkflowFailedError } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import type { BuildInput } from '../../model/contract/build.ts';
import type { RecordInput } from '../../model/contract/sign.ts';
import { DECIDE_UPDATE, shownDigests } from '../../model/release/approval.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { eventually } from '../support/wait.ts';
import { digestOf, idOf, requestFor } from './facts.ts';
import type { ReleaseHandle } from './house.ts';
import { useHouse } from './setup.ts';
import { failed } from './stand-ins.ts';

const house = useHouse('races');
const waitsForApproval = ({ status, failure }: ReleaseRecord) =>
  status === 'held' && failure?.kind === 'approval-needed';
const otherContext = (request: ReleaseRequest): ReleaseRequest => ({
  ...request,
  context: { kind: 'artifact', digest: digestOf('other context') },
});

/** A lock that a test opens. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

function approve(handle: ReleaseHandle, record: ReleaseRecord) {
  const word = { decision: 'approve', by: 'ann@x', comment: '', digests: shownDigests(record) };
  return handle.executeUpdate(DECIDE_UPDATE, { args: [word] });
}

const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => 'nothing was refused',
    (error: unknown) => (error instanceof WorkflowUpdateFailedError ? (error.cause?.message ?? '') : String(error)),
  );

/** No workflow task of it failed: on a server that would go on for ever. */
async function expectNoFailedTask(handle: ReleaseHandle): Promise<void> {
  const { events } = await handle.fetchHistory();
  const failures = (events ?? []).flatMap((event) => event.workflowTaskFailedEventAttributes?.failure?.message ?? []);
  expect(failures).toEqual([]);
}

describe.concurrent('a word of a person', () => {
  test('is refused while a changed spec is resolved, and the new image waits for a word of its own', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('approve-while-resolving', { disks: {}, approval: 'required' });
    const release = idOf(request);
    const { open, opened } = gate();
    standIns.behave(release, {
      resolve: async ({ request: asked }, { ordinary }) => {
        if (asked.context.kind === 'artifact' && asked.context.digest === digestOf('other context')) await opened;
        return ordinary();
      },
    });
    const handle = await start(request);
    const shown = await until(handle, 'waiting', waitsForApproval);
    const retrying = retry(handle, otherContext(request));
    await until(handle, 'resolving', ({ status }) => status === 'running');
    expect(await refusal(approve(handle, shown))).toContain('a changed spec is being looked at');
    expect(await refusal(retry(handle))).toContain('a changed spec is being looked at');
    open();
    expect(await retrying).toEqual({ resumed: ['release'] });
    const anew = await until(
      handle,
      'waiting again',
      (record) => waitsForApproval(record) && record.image.digest !== shown.image.digest,
    );
    // Whoever looked at the former image has said nothing of this one.
    expect(await refusal(approve(handle, shown))).toContain('is not what you looked at');
    await approve(handle, anew);
    const record = await handle.result();
    expect(record).toMatchObject({ status: 'released', image: { digest: anew.image.digest } });
    const tagged = standIns
      .callsOf(release, 'tag')
      .map(({ input }) => (input as { moves: { digest: string }[] }).moves);
    expect(tagged.flat().map(({ digest }) => digest)).toEqual([anew.image.digest]);
    expect(standIns.callsOf(release, 'record')).toHaveLength(1);
    await expectNoFailedTask(handle);
  });

  test('releases no disk that a changed spec adds, and that was not made', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('disk-added', { disks: {}, approval: 'required' });
    const release = idOf(request);
    standIns.behave(release, {
      resolve: async ({ request: asked }, { ordinary }) => {
        if (asked.disks.length > 0) await pause(1_000);
        return ordinary();
      },
    });
    const handle = await start(request);
    const shown = await until(handle, 'waiting', waitsForApproval);
    const retrying = retry(handle, {
      ...request,
      disks: requestFor('disk-added', { disks: { vmdk: 'artifact' } }).disks,
    });
    await pause(300);
    expect(await refusal(approve(handle, shown))).toContain('a changed spec is being looked at');
    await retrying;
    const anew = await until(handle, 'waiting', (record) => waitsForApproval(record) && record.disks.length === 1);
    await approve(handle, anew);
    await handle.result();
    const [published] = standIns.callsOf(release, 'record').map(({ input }) => (input as RecordInput).record);
    expect(published!.disks).toMatchObject([
      { type: 'vmdk', digest: expect.stringContaining('sha256:'), verified: true },
    ]);
    await expectNoFailedTask(handle);
  });

  test('is asked for again when only a repository of what was approved changes', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('record-elsewhere', { disks: {}, approval: 'required' });
    let fixed = false;
    standIns.behave(idOf(request), {
      tag: (_, { ordinary }) => {
        if (!fixed) throw failed('registry-denied', 'no');
        return ordinary();
      },
    });
    const handle = await start(request);
    await approve(handle, await until(handle, 'waiting', waitsForApproval));
    await until(handle, 'held', ({ failure }) => failure?.kind === 'registry-denied');
    fixed = true;
    await retry(handle, { ...request, recordRepository: `${request.repository}/elsewhere` });
    await approve(handle, await until(handle, 'waiting again', waitsForApproval));
    expect((await handle.result()).status).toBe('released');
  });
});

describe.concurrent('a changed spec', () => {
  test('is followed when the image is being pushed again', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('pushed-again', { disks: { qcow2: 'container-disk', iso: 'artifact' } });
    const release = idOf(request);
    const signing = gate();
    const denied = gate();
    let signs = 0;
    let vanished = false;
    standIns.behave(release, {
      sign: async ({ repository }, { ordinary }) => {
        if (repository === request.repository && ++signs === 2) await signing.opened;
        return ordinary();
      },
      publish: ({ disk }, { ordinary }) => {
        if (disk.type !== 'iso' || standIns.callsOf(release, 'build').length > 1) return ordinary();
        denied.open();
        throw failed('registry-denied', 'no');
      },
      diskBuild: async ({ types }, { ordinary }) => {
        if (!types.includes('qcow2') || vanished) return ordinary();
        await denied.opened;
        vanished = true;
        throw failed('disk-vanished', 'the image is gone');
      },
    });
    // Stand-ins that wait say nothing meanwhile.
    const handle = await start({ ...request, timing: { ...request.timing, heartbeatTimeout: 30_000 } });
    await until(
      handle,
      'iso held, image signed again',
      ({ failure }) => failure?.kind === 'registry-denied' && signs === 2,
    );
    expect(await retry(handle, otherContext(request))).toEqual({ resumed: ['iso'] });
    signing.open();
    const record = await handle.result();
    expect(record.status).toBe('released');
    expect(record.inputs?.context).toBe(digestOf('other context'));
    expect(standIns.callsOf(release, 'build')).toHaveLength(2);
    await expectNoFailedTask(handle);
  });

  test('is accepted at once, its resolve is a stage that is seen, and what became of it is told', async () => {
    const { standIns, start, until } = house();
    const request = requestFor('slow-registry', { disks: {} });
    const release = idOf(request);
    const registry = gate();
    standIns.behave(release, {
      build: ({ context }, { ordinary }) => {
        if (context.digest === digestOf('context')) throw failed('containerfile', 'exit status 1');
        return ordinary();
      },
      resolve: async ({ request: asked }, { ordinary }) => {
        if (asked.buildArgs['BASE'] === 'gone') throw failed('image-not-found', 'gone is not there');
        if (asked.context.kind === 'artifact' && asked.context.digest !== digestOf('context')) await registry.opened;
        return ordinary();
      },
    });
    const handle = await start({ ...request, timing: { ...request.timing, heartbeatTimeout: 30_000 } });
    await until(handle, 'held', ({ status }) => status === 'held');
    const send = (changed: ReleaseRequest) =>
      handle.startUpdate('retry', { args: [{ request: changed }], waitForStage: 'ACCEPTED' });
    expect(await refusal((await send({ ...request, buildArgs: { BASE: 'gone' } })).result())).toContain(
      'gone is not there',
    );
    const refused = await until(handle, 'held as before', ({ status }) => status === 'held');
    expect(refused.failure?.kind).toBe('containerfile');
    expect(refused.warnings).toEqual(['the changed spec was not taken over: gone is not there']);
    const update = await send(otherContext(request));
    const resolving = await until(handle, 'resolving', ({ status }) => status === 'running');
    expect(resolving.stages.find(({ name }) => name === 'resolve')?.status).toBe('running');
    registry.open();
    expect(await update.result()).toEqual({ resumed: ['image'] });
    const record = await handle.result();
    expect(record.status).toBe('released');
    expect(record.warnings).toBeUndefined();
    expect(standIns.callsOf(release, 'build').map(({ input }) => (input as BuildInput).context.digest)).toEqual([
      digestOf('context'),
      digestOf('other context'),
    ]);
  });

  test('that came in time is followed, however long its resolve takes', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('in-time', { disks: {}, timing: { holdFor: 5_000, heartbeatTimeout: 30_000 } });
    const registry = gate();
    standIns.behave(idOf(request), {
      build: ({ context }, { ordinary }) => {
        if (context.digest === digestOf('context')) throw failed('containerfile', 'exit status 1');
        return ordinary();
      },
      resolve: async ({ request: asked }, { ordinary }) => {
        if (asked.context.kind === 'artifact' && asked.context.digest !== digestOf('context')) await registry.opened;
        return ordinary();
      },
    });
    const handle = await start(request);
    await until(handle, 'held', ({ status }) => status === 'held');
    const retrying = retry(handle, otherContext(request));
    await eventually('the time of the hold is up', async () => {
      const { events } = await handle.fetchHistory();
      return events?.some(({ timerFiredEventAttributes: fired }) => fired) || undefined;
    });
    registry.open();
    expect(await retrying).toEqual({ resumed: ['image'] });
    expect((await handle.result()).status).toBe('released');
  });

  test('cannot leave behind what was tagged, and a failed release tells of it', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('tagged-already', {
      disks: { iso: 'artifact' },
      tagPolicy: 'move',
      timing: { holdFor: 4_000 },
    });
    standIns.behave(idOf(request), {
      record: () => {
        throw failed('registry-denied', 'no');
      },
    });
    const handle = await start(request);
    await until(handle, 'held', ({ status }) => status === 'held');
    const disk = `${request.disks[0]!.repository}:v1`;
    expect(await refusal(retry(handle, { ...request, disks: [] }))).toContain(`cannot leave ${disk} behind`);
    const error = await handle.result().catch((thrown: unknown) => thrown);
    const { details } = (error as WorkflowFailedError).cause as unknown as { details: [{ record: ReleaseRecord }] };
    expect(details[0].record.warnings).toEqual([`these tags had been moved: ${disk}, ${request.repository}:v1`]);
  });
});

describe.concurrent('a fault of the code', () => {
  test('ends the release as failed, with its clean-up and a record', async () => {
    const { standIns, start } = house();
    const request = requestFor('fault', { disks: { iso: 'artifact' } });
    const release = idOf(request);
    standIns.behave(release, {
      // No control worker answers so: the code finds no builder for its disks.
      resolve: (_, { ordinary }) => ({ ...ordinary(), builder: null }),
    });
    const handle = await start(request);
    const error = await handle.result().catch((thrown: unknown) => thrown);
    const cause = (error as WorkflowFailedError).cause as unknown as {
      type: string;
      details: [{ record: ReleaseRecord }];
    };
    expect(cause.type).toBe('unexpected');
    const { record } = cause.details[0];
    expect(record.status).toBe('failed');
    expect(record.failure?.message).toContain('a fault of flightline: Error: disks are asked for');
    expect(standIns.callsOf(release, 'cleanUp').map(({ host }) => host)).toEqual(['host-a']);
    await expectNoFailedTask(handle);
  });
});
