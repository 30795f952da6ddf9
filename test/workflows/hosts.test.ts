import { describe, expect, test } from 'vitest';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { builderRunId } from '../../model/oci/reference.ts';
import { keptOf } from '../support/history.ts';
import { idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed, silent } from './stand-ins.ts';

const house = useHouse('hosts');
const rowOf = (record: ReleaseRecord, name: string, subject: string) =>
  record.stages.find((row) => row.name === name && row.subject === subject);

describe.concurrent('a host segment', () => {
  test('goes to another host when its own is lost, and redoes only what lived there', async () => {
    const { client, standIns, start } = house();
    const request = requestFor('lost');
    const release = idOf(request);
    standIns.behave(release, {
      diskBuild: ({ branch }, { host, ordinary }) => (host === 'host-a' && branch === 'iso' ? silent() : ordinary()),
      probe: () => silent(3_000),
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(rowOf(record, 'disk-build', 'iso')).toMatchObject({ host: 'host-b', attempts: 2 });
    expect(rowOf(record, 'disk-build', 'qcow2+vmdk')).toMatchObject({ host: 'host-a', attempts: 1 });
    expect(standIns.callsOf(release, 'build')).toHaveLength(1);
    expect(standIns.callsOf(release, 'probe')).toHaveLength(2);
    expect(standIns.hostsOf(release, 'cleanUp')).toEqual(['host-a', 'host-b']);

    const histories = await keptOf(client, release);
    expect(histories.reduce((sum, one) => sum + one.events.length, 0)).toBeLessThanOrEqual(250);
  });

  test('starts the same activity again on a host that answers', async () => {
    const { standIns, start } = house();
    const request = requestFor('alive', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    standIns.behave(release, {
      diskBuild: (_, { ordinary }) =>
        standIns.callsOf(release, 'diskBuild').length === 1 ? silent(5_000) : ordinary(),
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(standIns.callsOf(release, 'diskBuild').map(({ host }) => host)).toEqual(['host-a', 'host-a']);
    expect(standIns.callsOf(release, 'probe').map(({ host }) => host)).toEqual(['host-a']);
    expect(standIns.callsOf(release, 'claim')).toHaveLength(2);
    expect(record.stages.find(({ name }) => name === 'disk-build')!.attempts).toBe(2);
  });

  test('claims its host again when the lease is gone before it is used', async () => {
    const { standIns, start } = house();
    const request = requestFor('lapsed', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    standIns.behave(release, {
      diskBuild: (_, { ordinary }) => {
        if (standIns.callsOf(release, 'diskBuild').length === 1) throw failed('no-slot', 'no lease any more');
        return ordinary();
      },
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(standIns.callsOf(release, 'diskBuild').map(({ host }) => host)).toEqual(['host-a', 'host-a']);
    const claims = standIns
      .callsOf(release, 'claim')
      .map(({ input }) => input as { branch: string; exclude: string[] });
    expect(claims.map(({ branch, exclude }) => [branch, exclude])).toEqual([
      ['image', []],
      ['qcow2', []],
      ['qcow2', []],
    ]);
  });

  test('is held when a host never knows the leases it grants', async () => {
    const { standIns, start, until } = house();
    const request = requestFor('twins', { disks: {} });
    standIns.behave(idOf(request), {
      build: () => {
        throw failed('no-slot', 'no lease any more');
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', ({ status }) => status === 'held');
    expect(held.failure).toMatchObject({ kind: 'host-setup', stage: 'build' });
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
  });

  test('builds the image again when its host is lost before the push', async () => {
    const { standIns, start } = house();
    const request = requestFor('lost-image', { disks: {} });
    const release = idOf(request);
    standIns.behave(release, {
      push: (_, { host, ordinary }) => (host === 'host-a' ? silent() : ordinary()),
      probe: () => silent(3_000),
    });
    const record = await (await start(request)).result();
    expect(standIns.callsOf(release, 'build').map(({ host }) => host)).toEqual(['host-a', 'host-b']);
    expect(rowOf(record, 'push', 'image')).toMatchObject({ host: 'host-b', attempts: 2 });
  });

  test('leaves a host whose queue nobody polls', async () => {
    const { standIns, start } = house();
    const request = requestFor('nobody', { disks: {} });
    const release = idOf(request);
    standIns.behave(release, {
      claim: ({ exclude }, { ordinary }) =>
        exclude.includes('host-gone') ? ordinary() : { attempts: 1, host: 'host-gone', transfers: 2 },
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(rowOf(record, 'build', 'image')?.host).toBe('host-a');
  });

  test('takes a lost host that is back when there is no other', async () => {
    const { standIns, start } = house();
    const request = requestFor('back', { disks: {} });
    const release = idOf(request);
    standIns.behave(release, {
      build: (_, { ordinary }) => (standIns.callsOf(release, 'build').length === 1 ? silent() : ordinary()),
      probe: () => silent(3_000),
      claim: ({ exclude }, { attempt }) => {
        if (exclude.length > 0) throw failed('no-slot', 'host-a is excluded');
        return { attempts: attempt, host: 'host-a', transfers: 2 };
      },
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(standIns.callsOf(release, 'build').map(({ host }) => host)).toEqual(['host-a', 'host-a']);
  });

  test('goes elsewhere when its host cannot do the work', async () => {
    const { standIns, start } = house();
    const request = requestFor('elsewhere', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    standIns.behave(release, {
      diskBuild: (_, { host, ordinary }) => {
        if (host === 'host-a') throw failed('disk-full', 'no space left on host-a');
        return ordinary();
      },
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(rowOf(record, 'disk-build', 'qcow2')).toMatchObject({ host: 'host-b', attempts: 2 });
    expect(standIns.callsOf(release, 'probe')).toEqual([]);
  });

  test.each(['enrollment-login', 'secret-missing'] as const)(
    'goes to a host that has what the first one lacks, also at a retry: %s',
    async (kind) => {
      const { standIns, start, until, retry } = house();
      const request = requestFor(kind, { disks: {} });
      const release = idOf(request);
      let fixed = false;
      standIns.behave(release, {
        build: (_, { host, ordinary }) => {
          if (host === 'host-b' && fixed) return ordinary();
          throw failed(kind, `${host} lacks it`);
        },
      });
      const handle = await start(request);
      await until(handle, 'held', ({ status }) => status === 'held');
      expect(standIns.callsOf(release, 'build').map(({ host }) => host)).toEqual(['host-a', 'host-b']);
      fixed = true;
      await retry(handle);
      const record = await handle.result();
      expect(rowOf(record, 'build', 'image')).toMatchObject({ host: 'host-b', status: 'done' });
    },
  );

  test('waits for another host that is busy when its own cannot do the work', async () => {
    const { standIns, start } = house();
    const request = requestFor('elsewhere-busy', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    let free = false;
    setTimeout(() => (free = true), 4 * request.timing.claimPreferred).unref();
    standIns.behave(release, {
      claim: ({ exclude, slot }, { ordinary }) => {
        if (slot === 'disk' && exclude.includes('host-a') && !free)
          throw failed('no-slot', 'host-b has 1 of 1 disk builds running');
        return ordinary();
      },
      diskBuild: (_, { host, ordinary }) => {
        if (host === 'host-a') throw failed('disk-full', 'no space left on host-a');
        return ordinary();
      },
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(rowOf(record, 'disk-build', 'qcow2')?.host).toBe('host-b');
  });

  test('is held when nobody can say which hosts there are, and goes on after a retry', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('nobody-knows', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    let known = false;
    standIns.behave(release, {
      diskBuild: (_, { host, ordinary }) => {
        if (host === 'host-a') throw failed('disk-full', 'no space left on host-a');
        return ordinary();
      },
      hosts: (_, { ordinary }) => {
        if (!known) throw failed('host-setup', 'the server does not tell its pollers');
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', ({ status }) => status === 'held');
    expect(held.failure).toMatchObject({ kind: 'host-setup', stage: 'disk-build' });
    known = true;
    await retry(handle);
    const record = await handle.result();
    expect(record.status).toBe('released');
    expect(rowOf(record, 'disk-build', 'qcow2')?.host).toBe('host-b');
  });

  test('is held when no host is left, and asks them all again after a retry', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('nowhere', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    let freed = false;
    standIns.behave(release, {
      diskBuild: (_, { host, ordinary }) => {
        if (!freed) throw failed('disk-full', `no space left on ${host}`);
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', ({ status }) => status === 'held');
    expect(held.failure).toMatchObject({ kind: 'disk-full', stage: 'disk-build', message: 'no space left on host-b' });
    freed = true;
    await retry(handle);
    expect((await handle.result()).status).toBe('released');
  });

  test('waits for a slot without limit, and asks the own host first', async () => {
    const { standIns, start } = house();
    const request = requestFor('busy', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    standIns.behave(release, {
      claim: ({ slot }, { host, ordinary, attempt }) => {
        // The worker of the shared queue has no host: those calls come after the preferred host refused for a while.
        if (slot === 'disk' && host === 'host-a') throw failed('no-slot', 'host-a has 1 of 1 disk builds running');
        if (slot === 'disk' && attempt < 6) throw failed('no-slot', 'host-b has 1 of 1 disk builds running');
        return slot === 'disk' ? { attempts: attempt, host: 'host-b', transfers: 2 } : ordinary();
      },
    });
    const handle = await start(request);
    const record = await handle.result();
    expect(record.status).toBe('released');
    expect(rowOf(record, 'disk-build', 'qcow2')?.host).toBe('host-b');
    const hosts = standIns
      .callsOf(release, 'claim')
      .slice(1)
      .map(({ host }) => host);
    expect(hosts[0]).toBe('host-a');
    expect(hosts.at(-1)).toBeNull();
    const description = await handle.describe();
    const attribute = description.typedSearchAttributes.getAll().find(({ key }) => key.name === 'FlightlineHost');
    expect(attribute?.value).toEqual(['host-a', 'host-b']);
  });
});

describe.concurrent('a cancelled builder run on another host', () => {
  test('is cleaned up there too', async () => {
    const { client, standIns, start, until } = house();
    const request = requestFor('far', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    standIns.behave(release, {
      claim: ({ slot }, { ordinary }) => (slot === 'disk' ? { attempts: 1, host: 'host-b', transfers: 2 } : ordinary()),
      diskBuild: () => silent(4_000),
    });
    const handle = await start(request);
    const child = client.workflow.getHandle(builderRunId(release, 'qcow2'));
    await until(handle, 'disk build', () => standIns.callsOf(release, 'diskBuild').length > 0);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    expect((await child.describe()).status.name).toBe('CANCELLED');
    expect(standIns.hostsOf(release, 'cleanUp')).toEqual(['host-a', 'host-b']);
  });
});
