/** Disks of one builder run that are published side by side. */
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { DiskBuildInput, PublishInput } from '../../model/contract/disk.ts';
import { RECORD_QUERY } from '../../model/contract/workflows.ts';
import { builderRunId } from '../../model/oci/reference.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { eventually } from '../support/wait.ts';
import { idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed, silent, untilCancelled } from './stand-ins.ts';

const house = useHouse('publications');
const ALL = { qcow2: 'artifact', vmdk: 'artifact', raw: 'artifact' } as const;

/** Publications that take a while, and how many there were at a time. */
function slowly() {
  let now = 0;
  const seen = { most: 0, types: [] as string[] };
  return {
    seen,
    during: async <Result>(type: string, body: () => Promise<Result> | Result): Promise<Result> => {
      seen.types.push(type);
      seen.most = Math.max(seen.most, (now += 1));
      try {
        await pause(300);
        return await body();
      } finally {
        now -= 1;
      }
    },
  };
}

describe.concurrent('the publications of a builder run', () => {
  test.each([1, 2])('are as many at a time as its host does: %i', async (transfers) => {
    const { client, standIns, start } = house();
    const request = requestFor(`lanes-${transfers}`, { disks: ALL });
    const release = idOf(request);
    const { seen, during } = slowly();
    standIns.behave(release, {
      claim: (_, { ordinary }) => ({ ...ordinary(), transfers }),
      publish: ({ disk }, { ordinary }) => during(disk.type, ordinary),
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(seen.most).toBe(transfers);
    const { branch } = standIns.callsOf(release, 'diskBuild')[0]!.input as DiskBuildInput;
    const { events } = await client.workflow.getHandle(builderRunId(release, branch)).fetchHistory();
    // One after the other they are 71; how many share a workflow task differs a little.
    expect(events!.length).toBeLessThanOrEqual(74);
  });

  test('go on while another one fails, which alone is held', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('one-fails', { disks: ALL });
    const release = idOf(request);
    const begun = new Set<string>();
    let fixed = false;
    standIns.behave(release, {
      publish: async ({ disk }, { ordinary }) => {
        if (disk.type === 'qcow2' && !fixed) throw failed('registry-denied', 'denied');
        begun.add(disk.type);
        // One lane is free again: neither of the others waits for the other.
        while (!begun.has('raw') || !begun.has('vmdk')) await pause(20);
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', ({ status }) => status === 'held');
    expect(held.failure).toMatchObject({ kind: 'registry-denied', stage: 'publish' });
    const rows = held.stages.filter(({ name }) => name === 'publish' || name === 'verify');
    expect(rows.map(({ name, subject, status }) => `${name} ${subject} ${status}`)).toEqual([
      'verify image done',
      'publish qcow2 held',
      'verify qcow2 waiting',
      'publish vmdk done',
      'verify vmdk done',
      'publish raw done',
      'verify raw done',
    ]);
    fixed = true;
    await retry(handle);
    expect((await handle.result()).status).toBe('released');
    // Asked again with the same words, a host adopts what it has published: nothing is hashed or sent.
    const inputs = standIns.callsOf(release, 'publish').map(({ input }) => input as PublishInput);
    for (const type of ['vmdk', 'raw']) {
      const [first, again, ...more] = inputs.filter(({ disk }) => disk.type === type);
      expect([again, more]).toEqual([first, []]);
    }
  });

  test('end when the release is cancelled, before the clean-up; no other begins, nothing is tagged', async () => {
    const { client, standIns, start, until } = house();
    const request = requestFor('cancelled', { disks: { ...ALL, vhd: 'artifact' } });
    const release = idOf(request);
    const running = new Set<string>();
    const left: string[][] = [];
    standIns.behave(release, {
      claim: (_, { ordinary }) => ({ ...ordinary(), transfers: 2 }),
      publish: async ({ disk: { type } }, { ordinary }) => {
        if (type === 'qcow2') return ordinary();
        running.add(type);
        try {
          return await untilCancelled();
        } catch (error) {
          // A push takes its time to end.
          await pause(300);
          running.delete(type);
          throw error;
        }
      },
      cleanUp: (_, { ordinary }) => {
        left.push([...running]);
        return ordinary();
      },
    });
    const handle = await start(request);
    const child = client.workflow.getHandle(builderRunId(release, 'qcow2+raw+vhd+vmdk'));
    const rows = async () => {
      const { stages } = await child.query<Pick<ReleaseRecord, 'stages'>>(RECORD_QUERY);
      return stages.map(({ name, subject, status }) => `${name} ${subject} ${status}`);
    };
    await until(handle, 'two are being published', () => running.size === 2);
    await eventually('one is verified', async () => (await rows()).includes('verify qcow2 done') || undefined);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    const record = await handle.query<ReleaseRecord>(RECORD_QUERY);
    expect(record.status).toBe('cancelled');
    expect(record.stages.filter(({ status }) => status === 'running' || status === 'held')).toEqual([]);
    expect(record.stages.find(({ name }) => name === 'tag')?.status).toBe('skipped');
    expect((await child.describe()).status.name).toBe('CANCELLED');
    expect((await rows()).filter((one) => /^(?:publish|verify) /.test(one))).toEqual([
      'publish qcow2 done',
      'verify qcow2 done',
      'publish vmdk cancelled',
      'verify vmdk waiting',
      'publish raw cancelled',
      'verify raw waiting',
      'publish vhd waiting',
      'verify vhd waiting',
    ]);
    expect(left).toEqual([[]]);
    expect(standIns.callsOf(release, 'tag', 'record')).toEqual([]);
    const types = standIns.callsOf(release, 'publish').map(({ input }) => (input as PublishInput).disk.type);
    expect(types.toSorted()).toEqual(['qcow2', 'raw', 'vmdk']);
  });

  test('are kept when their host is lost with another', async () => {
    const { standIns, start } = house();
    const request = requestFor('lost-one', { disks: ALL });
    const release = idOf(request);
    standIns.behave(release, {
      publish: ({ disk }, { host, ordinary }) =>
        disk.type === 'qcow2' && host === 'host-a' ? silent(4_000) : ordinary(),
      probe: (_, { host, ordinary }) => (host === 'host-a' ? silent(4_000) : ordinary()),
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    const published = standIns.callsOf(release, 'publish').map(({ host, input }) => {
      const { disk } = input as { disk: { type: string } };
      return `${disk.type} ${host}`;
    });
    // A slow machine may ask the lost host once more.
    expect([...new Set(published)].filter((one) => one.startsWith('qcow2'))).toEqual(['qcow2 host-a', 'qcow2 host-b']);
    expect(published.filter((one) => !one.startsWith('qcow2')).toSorted()).toEqual(['raw host-a', 'vmdk host-a']);
  });
});
