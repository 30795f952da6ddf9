/** Disks that are built while the image is signed and verified. */
import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import type { SignInput } from '../../model/contract/sign.ts';
import { builderRunId } from '../../model/oci/reference.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed, untilCancelled, type StandIns } from './stand-ins.ts';

const house = useHouse('beside');
const isHeld = ({ status }: ReleaseRecord) => status === 'held';
const rowOf = (record: ReleaseRecord, name: string, subject: string) =>
  record.stages.find((row) => row.name === name && row.subject === subject);
const builds = (standIns: StandIns, request: ReleaseRequest) => standIns.callsOf(idOf(request), 'diskBuild').length;

/** Waits until something has come to pass. */
async function when(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(20);
}

/** What a release failed with. */
async function failureOf(result: Promise<unknown>): Promise<{ type: string; record: ReleaseRecord }> {
  const error = await result.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WorkflowFailedError);
  const { type, details } = (error as WorkflowFailedError).cause as ApplicationFailure;
  return { type: type!, ...(details![0] as { record: ReleaseRecord }) };
}

describe.concurrent('a disk beside the signature of its image', () => {
  test('is built meanwhile, and nothing is tagged before both are there', async () => {
    const { standIns, start } = house();
    const request = requestFor('meanwhile', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    standIns.behave(release, {
      // Neither could wait for the other.
      sign: async ({ repository }, { ordinary }) => {
        if (repository === request.repository) await when(() => builds(standIns, request) > 0);
        return ordinary();
      },
      diskBuild: async (_, { ordinary }) => {
        await when(() => standIns.callsOf(release, 'sign').length > 0);
        return ordinary();
      },
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    const order = standIns.callsOf(release).map(({ activity }) => activity);
    expect(order.lastIndexOf('verify')).toBeLessThan(order.indexOf('tag'));
    expect(builds(standIns, request)).toBe(1);
  });

  test('is ended with a release whose signature fails', async () => {
    const { client, standIns, start } = house();
    const request = requestFor('no-signature', { disks: { qcow2: 'artifact' }, onFailure: 'fail' });
    const release = idOf(request);
    standIns.behave(release, {
      sign: async () => {
        await when(() => builds(standIns, request) > 0);
        throw failed('key-passphrase', 'the passphrase does not open the key');
      },
      diskBuild: untilCancelled,
    });
    const { type, record } = await failureOf((await start(request)).result());
    expect(type).toBe('key-passphrase');
    expect(rowOf(record, 'sign', 'image')?.status).toBe('failed');
    expect(rowOf(record, 'disk-build', 'qcow2')?.status).toBe('cancelled');
    expect(standIns.callsOf(release, 'tag')).toEqual([]);
    expect(standIns.callsOf(release).at(-1)?.activity).toBe('cleanUp');
    const run = await client.workflow.getHandle(builderRunId(release, 'qcow2')).describe();
    expect(run.status.name).toBe('CANCELLED');
  });

  test('is finished while the image is held, and is not built again', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('held-signature', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    let fixed = false;
    standIns.behave(release, {
      sign: ({ repository }, { ordinary }) => {
        if (repository === request.repository && !fixed) throw failed('key-missing', 'no such key');
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure).toMatchObject({ kind: 'key-missing', stage: 'sign' });
    expect(rowOf(held, 'verify', 'qcow2')?.status).toBe('done');
    expect(standIns.callsOf(release, 'tag')).toEqual([]);
    fixed = true;
    expect(await retry(handle)).toEqual({ resumed: ['image'] });
    expect((await handle.result()).status).toBe('released');
    expect(builds(standIns, request)).toBe(1);
  });

  test('ends a release whose image is held', async () => {
    const { standIns, start, until } = house();
    const request = requestFor('ends-a-hold', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    let isSeen = false;
    standIns.behave(release, {
      sign: () => {
        throw failed('key-missing', 'no such key');
      },
      diskBuild: async () => {
        await when(() => isSeen);
        throw failed('invalid-input', 'it cannot be built');
      },
    });
    const handle = await start(request);
    await until(handle, 'the image is held', (record) => rowOf(record, 'sign', 'image')?.status === 'held');
    isSeen = true;
    const { type, record } = await failureOf(handle.result());
    expect(type).toBe('invalid-input');
    expect(rowOf(record, 'disk-build', 'qcow2')?.status).toBe('failed');
    expect(standIns.callsOf(release).at(-1)?.activity).toBe('cleanUp');
  });

  test('waits for the signature on a host whose own policy wants one', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('strict-host', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    let fixed = false;
    const isSigned = () => standIns.callsOf(release, 'verify').some(({ input }) => isImage(input as SignInput));
    const isImage = ({ repository }: SignInput) => repository === request.repository;
    standIns.behave(release, {
      sign: async (input, { ordinary }) => {
        await when(() => builds(standIns, request) > 0);
        if (isImage(input) && !fixed) throw failed('key-missing', 'no such key');
        return ordinary();
      },
      diskBuild: (_, { ordinary }) => {
        if (!isSigned()) throw failed('signature-rejected', 'a signature was required, but no signature exists');
        return ordinary();
      },
    });
    const handle = await start(request);
    // Nobody is told of the disk: it waits, and the image is what is held.
    const held = await until(handle, 'held', isHeld);
    expect(held.failure?.kind).toBe('key-missing');
    expect(rowOf(held, 'disk-build', 'qcow2')?.status).toBe('waiting');
    fixed = true;
    expect(await retry(handle)).toEqual({ resumed: ['image'] });
    const record = await handle.result();
    expect(record.status).toBe('released');
    expect(builds(standIns, request)).toBe(2);
    expect(rowOf(record, 'disk-build', 'qcow2')).toMatchObject({ status: 'done', attempts: 2 });
  });
});
