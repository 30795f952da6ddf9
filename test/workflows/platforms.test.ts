import { describe, expect, test } from 'vitest';
import { dispositionOf } from '../../workflows/failure.ts';
import { keptOf } from '../support/history.ts';
import { digestOf, idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed, untilCancelled } from './stand-ins.ts';

const house = useHouse('platforms');

const platforms = ['amd64', 'arm64'] as const;
const twoPlatforms = (name: string, more: object = {}) =>
  requestFor(name, { disks: {}, platforms: [...platforms], alsoTag: ['latest'], ...more });

/** The branch of a platform is the one of its row, in the order of the table. */
const ROWS = [
  ['resolve', 'release'],
  ['build', 'image-amd64'],
  ['push', 'image-amd64'],
  ['build', 'image-arm64'],
  ['push', 'image-arm64'],
  ['index', 'image'],
  ['sign', 'image'],
  ['verify', 'image'],
  ['tag', 'release'],
  ['record', 'release'],
];

describe.concurrent('a release for two platforms', () => {
  test('builds each, and signs and tags their index', async () => {
    const { client, standIns, start } = house();
    const request = twoPlatforms('clean');
    const handle = await start(request);
    const record = await handle.result();

    expect(record).toMatchObject({ status: 'released', failure: null });
    expect(record.stages.map((row) => [row.name, row.subject])).toEqual(ROWS);
    expect(record.stages.every(({ status }) => status === 'done')).toBe(true);
    const pushed = platforms.map((platform) => ({
      platform,
      digest: digestOf(digestOf(`image of ${digestOf(`inputs ${platform}`)}`).slice(7)),
    }));
    const index = digestOf(`index ${JSON.stringify(pushed)}`);
    expect(record.image).toMatchObject({ digest: index, verified: true, platforms: pushed });
    expect(record.inputs!.base.map(({ platform, manifest }) => [platform, manifest])).toEqual(
      platforms.map((platform) => [platform, digestOf(`base for ${platform}`)]),
    );

    const inputsOf = (activity: Parameters<typeof standIns.callsOf>[1]) =>
      standIns.callsOf(idOf(request), activity).map(({ input }) => input as Record<string, never>);
    const claimed = inputsOf('claim').map(({ architecture, branch }) => [architecture, branch] as const);
    expect(Object.fromEntries(claimed)).toEqual({ amd64: 'image-amd64', arm64: 'image-arm64' });
    for (const { architecture, platform, bases } of inputsOf('build')) {
      expect(platform).toBe(architecture);
      expect(bases).toMatchObject([{ platform }]);
    }
    expect(inputsOf('sign').map(({ digest }) => digest)).toEqual([index]);
    expect(inputsOf('tag')[0]!['moves']).toMatchObject([{ digest: index, tag: 'v1' }]);
    const [kept] = await keptOf(client, idOf(request));
    expect(kept!.events.length).toBeLessThanOrEqual(130);
  });

  test('is held for the platform that fails, and moves no tag meanwhile', async () => {
    const { standIns, start, until, retry } = house();
    const request = twoPlatforms('held');
    let fixed = false;
    standIns.behave(idOf(request), {
      build: ({ architecture }, { ordinary }) => {
        if (architecture === 'arm64' && !fixed) throw failed('containerfile', 'exit status 1');
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', ({ status }) => status === 'held');
    const statusOf = (name: string, subject: string) =>
      held.stages.find((row) => row.name === name && row.subject === subject)?.status;
    expect(statusOf('push', 'image-amd64')).toBe('done');
    expect(statusOf('build', 'image-arm64')).toBe('held');
    expect(statusOf('index', 'image')).toBe('waiting');
    expect(held.failure).toMatchObject({ kind: 'containerfile', stage: 'build' });
    fixed = true;
    expect(await retry(handle)).toEqual({ resumed: ['image-arm64'] });
    expect(await handle.result()).toMatchObject({ status: 'released' });
    const builtFor = standIns
      .callsOf(idOf(request), 'build')
      .map(({ input }) => (input as { platform: string }).platform);
    expect(builtFor.toSorted()).toEqual(['amd64', 'arm64', 'arm64']);
    expect(standIns.callsOf(idOf(request), 'tag')).toHaveLength(1);
  });

  test('ends at once for what no hold could keep, whatever the other one does', async () => {
    const { standIns, start } = house();
    const request = twoPlatforms('failed');
    expect(dispositionOf({ kind: 'platform-missing' })).toBe('fail');
    standIns.behave(idOf(request), {
      build: ({ architecture }, { ordinary }) => {
        if (architecture === 'arm64') throw failed('platform-missing', 'is for linux/amd64');
        return ordinary();
      },
      push: untilCancelled,
    });
    const handle = await start(request);
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'platform-missing' } });
    expect(standIns.callsOf(idOf(request), 'index')).toEqual([]);
  });

  test('pushes again what the registry lost before the index was made', async () => {
    const { standIns, start } = house();
    const request = twoPlatforms('lost');
    let lost = false;
    standIns.behave(idOf(request), {
      index: (_, { ordinary }) => {
        if (lost) return ordinary();
        lost = true;
        throw failed('disk-vanished', 'gone');
      },
    });
    expect(await (await start(request)).result()).toMatchObject({ status: 'released' });
    expect(standIns.callsOf(idOf(request), 'build')).toHaveLength(2);
    expect(standIns.callsOf(idOf(request), 'push')).toHaveLength(4);
  });
});
