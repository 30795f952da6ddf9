import { describe, expect, test } from 'vitest';
import type { BootTestInput, DiskBuildInput } from '../../model/contract/disk.ts';
import { digestOf, idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed, silent } from './stand-ins.ts';

const house = useHouse('boot-test');
const TEST = { disk: 'qcow2', expect: 'login:', timeout: 60_000 } as const;

describe.concurrent('a boot test', () => {
  test('comes after its builder run and before anything of that is published', async () => {
    const { standIns, start } = house();
    const request = requestFor('boots', { bootTest: TEST });
    const release = idOf(request);
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(
      record.stages.filter(({ name }) => /disk|boot|publish/.test(name)).map((row) => `${row.name} ${row.subject}`),
    ).toEqual([
      'disk-build qcow2+vmdk',
      'boot-test qcow2',
      'publish qcow2',
      'publish vmdk',
      'disk-build iso',
      'publish iso',
    ]);
    const [call] = standIns.callsOf(release, 'bootTest');
    expect(call).toMatchObject({ host: 'host-a' });
    expect(call!.input as BootTestInput).toMatchObject({
      test: TEST,
      branch: 'qcow2+vmdk',
      file: { path: '/output/qcow2/disk', size: 1_000_000 },
    });
    const order = standIns.callsOf(release).filter(({ input }) => JSON.stringify(input).includes('qcow2'));
    const names = order.map(({ activity }) => activity);
    expect(names.indexOf('diskBuild')).toBeLessThan(names.indexOf('bootTest'));
    expect(names.indexOf('bootTest')).toBeLessThan(names.indexOf('publish'));
    // The slot is kept for the boot by that run only.
    const builds = standIns.callsOf(release, 'diskBuild').map(({ input }) => input as DiskBuildInput);
    expect(builds.map(({ branch, keepSlot }) => [branch, keepSlot])).toEqual(
      expect.arrayContaining([
        ['qcow2+vmdk', true],
        ['iso', undefined],
      ]),
    );
  });

  test('that never sees its line fails the release before any tag moves', async () => {
    const { standIns, start } = house();
    const request = requestFor('no-boot', { bootTest: TEST });
    const release = idOf(request);
    standIns.behave(release, {
      bootTest: () => {
        throw failed('boot-test', '"login:" did not appear; the console\'s end:\nKernel panic');
      },
    });
    const handle = await start(request);
    await expect(handle.result()).rejects.toThrow();
    const record = await handle.query<{ status: string; failure: { kind: string; message: string; stage: string } }>(
      'record',
    );
    expect(record).toMatchObject({ status: 'failed', failure: { kind: 'boot-test', stage: 'boot-test' } });
    expect(record.failure.message).toContain('Kernel panic');
    expect(standIns.callsOf(release, 'tag', 'record')).toEqual([]);
    expect(standIns.callsOf(release, 'publish').filter(({ input }) => JSON.stringify(input).includes('qcow2'))).toEqual(
      [],
    );
  });

  test('is done again where its host was lost', async () => {
    const { standIns, start } = house();
    const request = requestFor('lost-boot', { disks: { qcow2: 'artifact' }, bootTest: TEST });
    const release = idOf(request);
    standIns.behave(release, {
      bootTest: (_, { host, ordinary }) => (host === 'host-a' ? silent(4_000) : ordinary()),
      probe: () => silent(2_000),
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(standIns.hostsOf(release, 'bootTest')).toEqual(['host-a', 'host-b']);
    expect(standIns.hostsOf(release, 'diskBuild')).toEqual(['host-a', 'host-b']);
  });
});

describe.concurrent('the plan of a dry run', () => {
  const ask = (name: string) => {
    // No host is silent here: what takes long to be taken up is a busy machine.
    const request = requestFor(name, { timing: { probeScheduleToStart: 20_000 } });
    return house().ask('plan', { request, context: null }, name);
  };

  test('is what resolve would answer, and that it can be signed', async () => {
    expect(await ask('plan')).toMatchObject({ signing: null, resolved: { bases: [{ digest: digestOf('base') }] } });
    const { standIns } = house();
    expect(new Set(standIns.callsOf('questions/plan').map(({ activity }) => activity))).toEqual(
      new Set(['plan', 'proveSigning']),
    );
  });

  test('tells why nothing could be signed', async () => {
    house().standIns.behave('questions/no-key', {
      proveSigning: () => {
        throw failed('key-missing', 'there is no key "release"');
      },
    });
    expect(await ask('no-key')).toMatchObject({ signing: { kind: 'key-missing', stage: 'sign' } });
  });

  test('fails with what resolve would reject', async () => {
    house().standIns.behave('questions/no-base', {
      plan: () => {
        throw failed('image-not-found', 'no such base');
      },
    });
    await expect(ask('no-base')).rejects.toMatchObject({ cause: { type: 'image-not-found' } });
  });
});
