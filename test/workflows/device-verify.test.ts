import { describe, expect, test } from 'vitest';
import type { BuildInput, DeviceVerifyInput } from '../../model/contract/build.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { digestOf, idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed, PUBLIC_KEY } from './stand-ins.ts';

const house = useHouse('device-verify');
const isHeld = (record: ReleaseRecord) => record.status === 'held';
const requestWith = (name: string, disks = {}) => requestFor(name, { disks, verification: 'bake' });

describe.concurrent('verification: bake', () => {
  test('gives the key to the build, and proves the image between verify and the disks', async () => {
    const { standIns, start } = house();
    const request = requestWith('baked', { qcow2: 'container-disk', iso: 'artifact' });
    const release = idOf(request);
    const record = await (await start(request)).result();
    expect(record.stages.slice(3, 7).map(({ name, host, status }) => [name, host, status])).toEqual([
      ['sign', null, 'done'],
      ['verify', null, 'done'],
      ['device-verify', 'host-a', 'done'],
      ['disk-build', 'host-a', 'done'],
    ]);
    const [build] = standIns.callsOf(release, 'build').map(({ input }) => input as BuildInput);
    expect(build!.trust).toEqual({ key: 'release', publicKey: PUBLIC_KEY, repositories: [request.repository] });
    const asked = standIns.callsOf(release, 'deviceVerify').map(({ input }) => input as DeviceVerifyInput);
    expect(asked).toHaveLength(1);
    expect(asked[0]!.image).toEqual({
      repository: request.repository,
      tag: 'v1',
      digest: record.image.digest,
    });
    const order = standIns.callsOf(release).map(({ activity }) => activity);
    expect(order.indexOf('deviceVerify')).toBeGreaterThan(order.indexOf('verify'));
    expect(order.indexOf('deviceVerify')).toBeLessThan(order.indexOf('diskBuild'));
  });

  test('is not asked for by other releases', async () => {
    const { standIns, start } = house();
    const request = requestFor('unbaked', { disks: {} });
    const record = await (await start(request)).result();
    expect(record.stages.map(({ name }) => name)).not.toContain('device-verify');
    const [build] = standIns.callsOf(idOf(request), 'build').map(({ input }) => input as BuildInput);
    expect(build).not.toHaveProperty('trust');
  });

  test('holds the release before any tag when a device would not take the image', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestWith('refused');
    const release = idOf(request);
    let tries = 0;
    standIns.behave(release, {
      deviceVerify: (_, { ordinary }) => {
        tries += 1;
        if (tries === 1) throw failed('device-policy', 'a device made of this image would refuse it');
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure).toMatchObject({ kind: 'device-policy', stage: 'device-verify' });
    expect(standIns.callsOf(release, 'tag')).toEqual([]);
    await retry(handle);
    expect((await handle.result()).status).toBe('released');
    expect(standIns.callsOf(release, 'build')).toHaveLength(1);
    expect(standIns.callsOf(release, 'proveSigning')).toHaveLength(2);
  });

  test('builds again when the key was exchanged while it was held', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestWith('exchanged');
    const release = idOf(request);
    const keys = ['the former', 'the present'];
    standIns.behave(release, {
      proveSigning: (_, { attempt }) => ({ attempts: attempt, publicKey: keys.shift()! }),
      build: ({ trust }, { ordinary }) => ({ ...ordinary(), imageId: digestOf(trust!.publicKey).slice(7) }),
      deviceVerify: ({ image }, { ordinary }) => {
        if (image.digest !== digestOf(digestOf('the present').slice(7))) {
          throw failed('device-policy', 'a device made of this image would refuse it');
        }
        return ordinary();
      },
    });
    const handle = await start(request);
    await until(handle, 'held', isHeld);
    await retry(handle);
    expect((await handle.result()).status).toBe('released');
    const built = standIns.callsOf(release, 'build').map(({ input }) => (input as BuildInput).trust!.publicKey);
    expect(built).toEqual(['the former', 'the present']);
  });
});
