import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { RECORD_QUERY, RELEASE_WORKFLOW } from '../../model/contract/workflows.ts';
import { failureOf } from '../../model/failure/failure.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { builderRunId } from '../../model/oci/reference.ts';
import { idOf, requestFor } from './facts.ts';
import type { House, ReleaseHandle } from './house.ts';
import { useHouse } from './setup.ts';
import { failed, silent, untilCancelled, type ActivityName } from './stand-ins.ts';

const house = useHouse('ends');
const rowOf = (record: ReleaseRecord, name: string, subject: string) =>
  record.stages.find((row) => row.name === name && row.subject === subject);

/** The failure that a workflow ended with. */
async function causeOf(promise: Promise<unknown>): Promise<unknown> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WorkflowFailedError);
  return (error as WorkflowFailedError).cause;
}

/** Cancels a release once a stage runs, and gives its last record. */
async function cancelIn(
  { standIns, until }: House,
  handle: ReleaseHandle,
  stage: 'build' | 'disk-build' | 'tag',
  subject: string,
  activity: ActivityName = stage === 'disk-build' ? 'diskBuild' : stage,
): Promise<ReleaseRecord> {
  // The workflow calls it running when it is scheduled; what a worker has not begun is cancelled by the server alone.
  const begun = () => standIns.callsOf(handle.workflowId, activity).length > 0;
  await until(handle, `${stage} runs`, (record) => rowOf(record, stage, subject)?.status === 'running' && begun());
  await handle.cancel();
  expect(await causeOf(handle.result())).toBeInstanceOf(CancelledFailure);
  return handle.query<ReleaseRecord>(RECORD_QUERY);
}

describe.concurrent('a failing release', () => {
  test('with an input that is none ends at once, with a record', async () => {
    const { client } = house();
    const handle = await client.workflow.start(RELEASE_WORKFLOW, {
      workflowId: 'release/registry.example/acme/invalid:v1',
      taskQueue: CONTROL_QUEUE,
      args: [{ schemaVersion: 1, repository: '-x' }],
    });
    const cause = (await causeOf(handle.result())) as ApplicationFailure;
    expect(cause).toBeInstanceOf(ApplicationFailure);
    expect(cause.type).toBe('invalid-input');
    expect(cause.details?.[0]).toMatchObject({ record: { status: 'failed', failure: { kind: 'invalid-input' } } });
    expect(await handle.query<ReleaseRecord>(RECORD_QUERY)).toMatchObject({ status: 'failed' });
  });

  test('fails for whatever resolve rejects, even what could be held later', async () => {
    const { standIns, start } = house();
    for (const kind of ['tag-exists', 'registry-login'] as const) {
      const request = requestFor(`resolve-${kind}`);
      standIns.behave(idOf(request), {
        resolve: () => {
          throw failed(kind, 'no');
        },
      });
      const cause = (await causeOf((await start(request)).result())) as ApplicationFailure;
      expect(cause.type).toBe(kind);
      expect(standIns.callsOf(idOf(request), 'build', 'cleanUp')).toEqual([]);
    }
  });

  test('fails for a key that may not sign here', async () => {
    const { standIns, start } = house();
    const request = requestFor('key');
    standIns.behave(idOf(request), {
      proveSigning: () => {
        throw failed('key-not-allowed', 'not here');
      },
    });
    const cause = (await causeOf((await start(request)).result())) as ApplicationFailure;
    expect(cause).toMatchObject({ type: 'key-not-allowed', message: 'not here' });
    const { record } = cause.details![0] as { record: ReleaseRecord };
    expect(record.failure).toMatchObject({ kind: 'key-not-allowed', stage: 'sign' });
    expect(rowOf(record, 'sign', 'image')?.status).toBe('failed');
    expect(rowOf(record, 'build', 'image')?.status).toBe('skipped');
  });

  test('with onFailure: fail ends instead of being held, and cancels the other branches', async () => {
    const { client, standIns, start } = house();
    const request = requestFor('no-hold', { onFailure: 'fail' });
    const release = idOf(request);
    standIns.behave(release, {
      diskBuild: async ({ branch }) => {
        if (branch !== 'iso') return untilCancelled();
        while (standIns.callsOf(release, 'diskBuild').length < 2) await pause(20);
        throw failed('builder', 'osbuild failed');
      },
    });
    const cause = (await causeOf((await start(request)).result())) as ApplicationFailure;
    expect(cause.type).toBe('builder');
    const { record } = cause.details![0] as { record: ReleaseRecord };
    expect(rowOf(record, 'disk-build', 'iso')?.status).toBe('failed');
    expect(rowOf(record, 'disk-build', 'qcow2+vmdk')?.status).toBe('cancelled');
    expect(standIns.callsOf(release).at(-1)?.activity).toBe('cleanUp');
    const other = await client.workflow.getHandle(builderRunId(release, 'qcow2+vmdk')).describe();
    expect(other.status.name).toBe('CANCELLED');
    const attributes = Object.fromEntries(
      (await client.workflow.getHandle(release).describe()).typedSearchAttributes
        .getAll()
        .map(({ key, value }) => [key.name, value]),
    );
    expect(attributes).toMatchObject({ FlightlineStatus: 'failed', FlightlineStage: 'disk-build' });
  });

  test('keeps its payloads small with the longest message', async () => {
    const { standIns, start } = house();
    const request = requestFor('long', { onFailure: 'fail' });
    standIns.behave(idOf(request), {
      diskBuild: () => {
        throw failed('builder', 'x'.repeat(5_000));
      },
    });
    const cause = (await causeOf((await start(request)).result())) as ApplicationFailure;
    expect(cause.message.length).toBeLessThanOrEqual(1_000);
    expect(JSON.stringify(cause.details).length).toBeLessThanOrEqual(10_000);
  });
});

describe.concurrent('a cancelled release', () => {
  test('in the build cleans up and moves no tag', async () => {
    const home = house();
    const request = requestFor('cancel-build');
    const release = idOf(request);
    let stopped = false;
    let stoppedBeforeCleanUp = false;
    home.standIns.behave(release, {
      build: () =>
        untilCancelled().catch(async (error: unknown) => {
          // A container takes its time to stop.
          await pause(500);
          stopped = true;
          throw error;
        }),
      cleanUp: (_, { ordinary }) => {
        stoppedBeforeCleanUp = stopped;
        return ordinary();
      },
    });
    const handle = await home.start(request);
    const record = await cancelIn(home, handle, 'build', 'image');
    expect(record.status).toBe('cancelled');
    expect(rowOf(record, 'build', 'image')?.status).toBe('cancelled');
    expect(rowOf(record, 'push', 'image')?.status).toBe('skipped');
    expect(stoppedBeforeCleanUp).toBe(true);
    expect(home.standIns.callsOf(release, 'cleanUp')).toHaveLength(1);
    expect((await handle.describe()).status.name).toBe('CANCELLED');
  });

  test('in the disk builds cancels its builder runs first', async () => {
    const home = house();
    const request = requestFor('cancel-disks');
    const release = idOf(request);
    home.standIns.behave(release, { diskBuild: untilCancelled });
    const handle = await home.start(request);
    // The image is signed and verified meanwhile.
    await home.until(handle, 'both run', ({ image }) => {
      return image.verified && home.standIns.callsOf(release, 'diskBuild').length === 2;
    });
    const record = await cancelIn(home, handle, 'disk-build', 'iso');
    expect(rowOf(record, 'disk-build', 'iso')?.status).toBe('cancelled');
    expect(record.image.verified).toBe(true);
    for (const subject of ['iso', 'qcow2+vmdk']) {
      const child = await home.client.workflow.getHandle(builderRunId(release, subject)).describe();
      expect(child.status.name).toBe('CANCELLED');
    }
    expect(home.standIns.callsOf(release, 'cleanUp')).toHaveLength(1);
    expect(home.standIns.callsOf(release, 'tag')).toEqual([]);
  });

  test('while held', async () => {
    const home = house();
    const request = requestFor('cancel-held', { disks: {} });
    home.standIns.behave(idOf(request), {
      push: () => {
        throw failed('registry-denied', 'denied');
      },
    });
    const handle = await home.start(request);
    await home.until(handle, 'held', ({ status }) => status === 'held');
    await handle.cancel();
    expect(await causeOf(handle.result())).toBeInstanceOf(CancelledFailure);
    const record = await handle.query<ReleaseRecord>(RECORD_QUERY);
    expect(rowOf(record, 'push', 'image')?.status).toBe('cancelled');
    expect(home.standIns.callsOf(idOf(request), 'cleanUp')).toHaveLength(1);
  });

  test('while it waits for a host', async () => {
    const home = house();
    const request = requestFor('cancel-claim', { disks: {} });
    home.standIns.behave(idOf(request), {
      claim: () => {
        throw failed('no-slot', 'host-a has 2 of 2 image builds running');
      },
    });
    const handle = await home.start(request);
    await home.until(handle, 'claims', () => home.standIns.callsOf(idOf(request), 'claim').length > 1);
    await handle.cancel();
    expect(await causeOf(handle.result())).toBeInstanceOf(CancelledFailure);
  });

  test('during tag says which tags had moved', async () => {
    const home = house();
    const known = requestFor('cancel-tag-known', { disks: {}, tagPolicy: 'create' });
    home.standIns.behave(idOf(known), {
      tag: async (_, { ordinary }) => {
        await untilCancelled().catch(() => undefined);
        return ordinary();
      },
    });
    const wholly = await cancelIn(home, await home.start(known), 'tag', 'release');
    expect(wholly.status).toBe('cancelled');
    expect(wholly.failure?.message).toContain(`had been moved: ${known.repository}:v1`);
    // `create` would refuse the tags that stand.
    expect(wholly.failure?.remedy.action).toMatch(/^delete these tags \(.*\), then start the release/);

    const told = requestFor('cancel-tag-told', { disks: { iso: 'artifact' } });
    home.standIns.behave(idOf(told), {
      tag: async ({ moves }) => {
        await untilCancelled().catch(() => undefined);
        throw new CancelledFailure('cancelled', [{ moved: [`${moves[0]!.repository}:v1`] }]);
      },
    });
    const partly = await cancelIn(home, await home.start(told), 'tag', 'release');
    expect(partly.failure?.message).toBe(
      `cancelled when these tags had been moved: ${told.repository}/diskimage-iso:v1`,
    );

    const broken = requestFor('cancel-tag-broken', { disks: { iso: 'artifact' } });
    home.standIns.behave(idOf(broken), {
      tag: ({ moves }) => {
        const failure = failureOf('registry-denied', 'denied');
        const moved = [`${moves[0]!.repository}:v1`];
        throw ApplicationFailure.nonRetryable(failure.message, failure.kind, failure, { moved });
      },
    });
    const stopped = await home.start(broken);
    await home.until(stopped, 'held', ({ status }) => status === 'held');
    await stopped.cancel();
    await expect(stopped.result()).rejects.toThrow();
    expect((await stopped.query<ReleaseRecord>(RECORD_QUERY)).failure?.message).toBe(
      `cancelled when these tags had been moved: ${broken.repository}/diskimage-iso:v1`,
    );

    const unknown = requestFor('cancel-tag-unknown', { disks: {}, tagPolicy: 'move' });
    home.standIns.behave(idOf(unknown), { tag: untilCancelled });
    const maybe = await cancelIn(home, await home.start(unknown), 'tag', 'release');
    expect(maybe.failure?.message).toContain(`some may stand: ${unknown.repository}:v1`);
    expect(maybe.failure?.remedy.action).toMatch(/^start the release of .* again, or delete these tags$/);

    // Its own tag has moved; the workflow of a shared tag goes on with what it was asked for.
    const shared = requestFor('cancel-tag-shared', { disks: {}, alsoTag: ['stable'] });
    home.standIns.behave(idOf(shared), { moveSharedTag: untilCancelled });
    const both = await cancelIn(home, await home.start(shared), 'tag', 'release', 'moveSharedTag');
    expect(both.failure?.message).toBe(
      `cancelled when these tags had been moved: ${shared.repository}:v1; cancelled while these tags were being ` +
        `moved, and some may stand: ${shared.repository}:stable`,
    );
  });

  test('ends although its host does not answer the clean-up', async () => {
    const home = house();
    const request = requestFor('cancel-deaf', { disks: {} });
    home.standIns.behave(idOf(request), { build: untilCancelled, cleanUp: untilCancelled });
    const record = await cancelIn(home, await home.start(request), 'build', 'image');
    expect(record.status).toBe('cancelled');
  });
});

describe.concurrent('a release started again', () => {
  test('waits until a builder run of its terminated predecessor has ended', async () => {
    const { client, standIns, start, until } = house();
    const request = requestFor('again', { disks: { iso: 'artifact' } });
    const release = idOf(request);
    standIns.behave(release, {
      diskBuild: (_, { ordinary }) =>
        standIns.callsOf(release, 'diskBuild').length === 1 ? silent(6_000) : ordinary(),
    });
    const first = await start(request);
    await until(first, 'builds', () => standIns.callsOf(release, 'diskBuild').length === 1);
    await first.terminate('by hand');
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    const child = await client.workflow.getHandle(builderRunId(release, 'iso')).describe();
    expect(child.status.name).toBe('COMPLETED');
  });

  test('holds the branch of a builder run that somebody terminated', async () => {
    const { client, standIns, start, until, retry } = house();
    const request = requestFor('terminated', { disks: { iso: 'artifact' } });
    const release = idOf(request);
    standIns.behave(release, {
      diskBuild: (_, { ordinary }) =>
        standIns.callsOf(release, 'diskBuild').length === 1 ? untilCancelled() : ordinary(),
    });
    const handle = await start(request);
    await until(handle, 'builds', () => standIns.callsOf(release, 'diskBuild').length === 1);
    await client.workflow.getHandle(builderRunId(release, 'iso')).terminate('by hand');
    const held = await until(handle, 'held', ({ status }) => status === 'held');
    expect(held.failure).toMatchObject({ kind: 'unexpected', stage: 'disk-build' });
    expect(held.failure?.message).toContain('was terminated');
    await retry(handle);
    expect((await handle.result()).status).toBe('released');
  });
});

describe.concurrent('the questions of one command', () => {
  test('are answered by one workflow, which says when a host does not answer', async () => {
    const { client, ask } = house();
    const { timing } = requestFor('log');
    const page = (host: string) => ask('log', { host, path: '/logs/build.log', offset: 0, timing }, 'of-one-command');
    const there = { text: 'a line\n', nextOffset: 7, end: true };
    expect(await page('host-a')).toEqual(there);
    await expect(page('host-gone')).rejects.toMatchObject({ cause: { type: 'no-host' } });
    expect(await Promise.all([page('host-a'), page('host-b')])).toEqual([there, there]);
    const handle = client.workflow.getHandle('questions/of-one-command');
    // It ends by itself, and a later question begins it anew.
    await handle.result();
    expect(await page('host-a')).toEqual(there);
    const runs = await client.workflow.count("WorkflowId = 'questions/of-one-command'");
    expect(runs.count).toBeLessThanOrEqual(2);
  });
});
