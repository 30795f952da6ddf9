import { describe, expect, test } from 'vitest';
import type { DeviceVerifyInput } from '../../model/contract/build.ts';
import type { ClaimInput } from '../../model/contract/host.ts';
import { dispositionOf } from '../../workflows/failure.ts';
import { keptOf, largestPayload } from '../support/history.ts';
import { builderRunId } from '../../model/oci/reference.ts';
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

  test('is tried by a device of each platform, which is held alone, before there are disks', async () => {
    const { standIns, start, until, retry } = house();
    const request = twoPlatforms('devices', { verification: 'bake', disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    let fixed = false;
    standIns.behave(release, {
      deviceVerify: ({ platform }, { ordinary }) => {
        if (platform === 'arm64' && !fixed) throw failed('device-policy', 'would refuse it');
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', ({ status }) => status === 'held');
    const asked = (record: typeof held) =>
      record.stages.filter(({ name }) => name === 'device-verify').map(({ subject, status }) => `${subject} ${status}`);
    expect(asked(held)).toEqual(['image-amd64 done', 'image-arm64 held']);
    expect(standIns.callsOf(release, 'diskBuild')).toEqual([]);
    fixed = true;
    expect(await retry(handle)).toEqual({ resumed: ['image'] });
    const record = await handle.result();
    expect(asked(record)).toEqual(['image-amd64 done', 'image-arm64 done']);
    const tried = standIns.callsOf(release, 'deviceVerify').map(({ input }) => input as DeviceVerifyInput);
    const digestFor = (platform: string) => record.image.platforms!.find((one) => one.platform === platform)!.digest;
    expect(tried.map(({ platform, image }) => [platform, image.digest])).toEqual(
      ['amd64', 'arm64', 'arm64'].map((platform) => [platform, digestFor(platform)]),
    );
    const claimed = standIns.callsOf(release, 'claim').map(({ input }) => input as ClaimInput);
    expect(claimed.every(({ branch, architecture }) => branch.endsWith(architecture))).toBe(true);
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

describe.concurrent('disks for two platforms', () => {
  const disks = { qcow2: 'container-disk', vmdk: 'artifact' } as const;
  const subjects = platforms.map((platform) => `qcow2-${platform}+vmdk-${platform}`);

  test('are made for each, and joined in an index of each type, which is signed and tagged', async () => {
    const { client, standIns, start } = house();
    const request = twoPlatforms('disks', { disks });
    const release = idOf(request);
    const record = await (await start(request)).result();

    expect(record).toMatchObject({ status: 'released', failure: null });
    expect(record.stages.every(({ status }) => status === 'done')).toBe(true);
    expect(record.stages.slice(ROWS.length - 2).map(({ name, subject }) => [name, subject])).toEqual([
      ...platforms.flatMap((platform, index) => [
        ['disk-build', subjects[index]],
        ['publish', `qcow2-${platform}`],
        ['publish', `vmdk-${platform}`],
      ]),
      ...['qcow2', 'vmdk'].flatMap((type) => ['index', 'sign', 'verify'].map((name) => [name, type])),
      ...ROWS.slice(-2),
    ]);
    const inputsOf = (activity: Parameters<typeof standIns.callsOf>[1]) =>
      standIns.callsOf(release, activity).map(({ input }) => input as Record<string, unknown>);
    const entryOf = (platform: unknown) => record.image.platforms!.find((one) => one.platform === platform)!.digest;
    for (const { architecture, platform, branch, image } of inputsOf('diskBuild')) {
      expect([platform, branch]).toEqual([architecture, subjects[platforms.indexOf(platform as 'arm64')]]);
      expect(image).toMatchObject({ digest: entryOf(architecture) });
    }
    const claimed = inputsOf('claim').filter(({ slot }) => slot === 'disk');
    const branches = claimed.map(({ architecture, branch }) => [architecture, branch] as const);
    expect(branches).toHaveLength(2);
    expect(Object.fromEntries(branches)).toEqual({ amd64: subjects[0], arm64: subjects[1] });
    for (const { type, digest, verified, file, platforms: parts } of record.disks) {
      const entries = platforms.map((platform) => {
        const digestOfPart = digestOf(`${type} ${digestOf(`${entryOf(platform)} qcow2,vmdk`)}`);
        return { platform, digest: digestOfPart };
      });
      expect(parts).toMatchObject(entries);
      expect({ digest, verified, file }).toEqual({
        digest: digestOf(`index ${JSON.stringify(entries)}`),
        verified: true,
        file: null,
      });
      const repository = `${request.repository}/diskimage-${type}`;
      const signed = inputsOf('sign').filter((input) => input['repository'] === repository);
      expect(signed.map((input) => input['digest'])).toEqual([digest]);
      expect(inputsOf('tag')[0]!['moves']).toContainEqual(expect.objectContaining({ repository, digest, tag: 'v1' }));
    }
    expect(Object.keys(record.inputs!.disks).sort()).toEqual(
      ['qcow2', 'vmdk'].flatMap((type) => platforms.map((platform) => `${type}-${platform}`)),
    );
    const histories = await keptOf(client, release);
    expect(histories.map(({ workflowId }) => workflowId).sort()).toEqual(
      [release, ...subjects.map((subject) => builderRunId(release, subject))].sort(),
    );
    expect(histories.reduce((sum, { events }) => sum + events.length, 0)).toBeLessThanOrEqual(320);
    expect(largestPayload(histories)).toBeLessThanOrEqual(10_000);
  });

  test('are held for the platform that fails, and a retry concerns that branch alone', async () => {
    const { standIns, start, until, retry } = house();
    const request = twoPlatforms('disks-held', { disks });
    const release = idOf(request);
    let fixed = false;
    standIns.behave(release, {
      diskBuild: ({ platform }, { ordinary }) => {
        if (platform === 'arm64' && !fixed) throw failed('builder', 'exit status 1');
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', ({ status }) => status === 'held');
    const statusOf = (name: string, subject: string) =>
      held.stages.find((row) => row.name === name && row.subject === subject)?.status;
    expect(statusOf('publish', 'vmdk-amd64')).toBe('done');
    expect(statusOf('disk-build', subjects[1]!)).toBe('held');
    expect(statusOf('index', 'qcow2')).toBe('waiting');
    expect(standIns.callsOf(release, 'tag')).toEqual([]);
    fixed = true;
    expect(await retry(handle)).toEqual({ resumed: [subjects[1]] });
    expect(await handle.result()).toMatchObject({ status: 'released' });
    const builtFor = standIns
      .callsOf(release, 'diskBuild')
      .map(({ input }) => (input as { platform: string }).platform);
    expect(builtFor.toSorted()).toEqual(['amd64', 'arm64', 'arm64']);
  });

  test('are published again when the registry lost one before it was joined, or the index later', async () => {
    const { standIns, start } = house();
    const request = twoPlatforms('disks-lost', { disks });
    const release = idOf(request);
    const lost = new Set<string>();
    const once = (what: string) => !lost.has(what) && lost.add(what);
    standIns.behave(release, {
      index: ({ repository }, { ordinary }) => {
        if (repository.endsWith('qcow2') && once('entry')) throw failed('disk-vanished', 'gone');
        return ordinary();
      },
      tag: ({ moves }, { ordinary }) => {
        const vmdk = moves.find(({ repository }) => repository.endsWith('vmdk'))!;
        return once('index') ? { ...ordinary(), moved: [], vanished: [vmdk.digest] } : ordinary();
      },
    });
    const record = await (await start(request)).result();
    expect(record).toMatchObject({ status: 'released' });
    expect(record.disks.every(({ verified }) => verified)).toBe(true);
    // A builder run whose disk is lost begins again, and adopts what there is.
    expect(standIns.callsOf(release, 'diskBuild')).toHaveLength(6);
    expect(standIns.callsOf(release, 'tag')).toHaveLength(2);
  });

  test('that are not published have no index', async () => {
    const { standIns, start } = house();
    const request = twoPlatforms('disks-kept', { disks: { qcow2: 'none' }, keepFiles: '/srv/disks' });
    const record = await (await start(request)).result();
    expect(record.disks[0]).toMatchObject({
      digest: null,
      file: null,
      platforms: platforms.map((platform) => ({ platform, file: { path: '/srv/disks/disk.qcow2' } })),
    });
    expect(record.stages.filter(({ subject }) => subject === 'qcow2').map(({ status }) => status)).toEqual(
      Array(3).fill('skipped'),
    );
    expect(standIns.callsOf(idOf(request), 'index')).toHaveLength(1);
  });

  test('are taken over whole when only something else is missing', async () => {
    const { standIns, start } = house();
    const request = twoPlatforms('disks-reused', { disks });
    const release = idOf(request);
    const parts = (type: string) =>
      platforms.map((platform) => ({ platform, digest: digestOf(`${type} for ${platform}`), file: null }));
    const reused = {
      type: 'vmdk' as const,
      digest: digestOf('earlier vmdk'),
      file: null,
      platforms: parts('vmdk'),
      inputs: Object.fromEntries(platforms.map((platform) => [`vmdk-${platform}`, digestOf(`inputs ${platform}`)])),
    };
    const image = { digest: digestOf('earlier index'), platforms: parts('image').map(({ file: _, ...one }) => one) };
    standIns.behave(release, {
      resolve: (_, { ordinary }) => ({
        ...ordinary(),
        existingTag: image.digest,
        reuse: { ...image, builtAt: '2026-01-01T00:00:00.000Z', disks: [reused] },
      }),
    });
    const record = await (await start(request)).result();
    expect(record).toMatchObject({ status: 'released', image });
    expect(record.disks.find(({ type }) => type === 'vmdk')).toMatchObject({
      digest: reused.digest,
      platforms: reused.platforms,
    });
    const built = standIns.callsOf(release, 'diskBuild').map(({ input }) => input as { branch: string; image: object });
    expect(built.map(({ branch }) => branch).sort()).toEqual(['qcow2-amd64', 'qcow2-arm64']);
    expect(built.map((one) => one.image)).toEqual(
      expect.arrayContaining(parts('image').map(({ digest }) => expect.objectContaining({ digest }) as object)),
    );
  });

  test('are taken over with a platform whose bases have not changed, and nothing of it is made again', async () => {
    const { standIns, start } = house();
    const request = twoPlatforms('kept', { disks });
    const release = idOf(request);
    const digest = digestOf('earlier amd64');
    const file = { size: 1, sha256: 'a'.repeat(64), host: 'host-a', path: null };
    const kept = {
      platform: 'amd64' as const,
      digest,
      builtAt: '2026-01-01T00:00:00.000Z',
      disks: (['qcow2', 'vmdk'] as const).map((type) => {
        return { type, digest: digestOf(`earlier ${type}`), file, inputs: digestOf('earlier inputs') };
      }),
    };
    standIns.behave(release, { resolve: (_, { ordinary }) => ({ ...ordinary(), kept: [kept] }) });
    const record = await (await start(request)).result();
    expect(record).toMatchObject({ status: 'released', image: { platforms: [{ digest, builtAt: kept.builtAt }, {}] } });
    expect(record.disks.map(({ platforms: [first] = [] }) => first)).toEqual(
      kept.disks.map((disk) => ({ platform: 'amd64', digest: disk.digest, file })),
    );
    const of = (...names: Parameters<typeof standIns.callsOf>[1][]) =>
      standIns.callsOf(release, ...names).map(({ input }) => (input as { platform?: string }).platform);
    expect(of('build', 'push', 'diskBuild', 'publish')).toEqual(Array(5).fill('arm64'));
    const skipped = record.stages.filter(({ status }) => status === 'skipped');
    expect(skipped.map(({ name, subject }) => `${name} ${subject}`)).toEqual([
      'build image-amd64',
      'push image-amd64',
      `disk-build ${subjects[0]}`,
      'publish qcow2-amd64',
      'publish vmdk-amd64',
    ]);
    expect(new Set(record.inputs!.base.map(({ platform }) => platform))).toEqual(new Set(platforms));
  });

  test('of a platform that was taken over are made after all when the registry has lost them', async () => {
    const { standIns, start } = house();
    const request = twoPlatforms('kept-lost', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    const file = { size: 1, sha256: 'a'.repeat(64), host: 'host-a', path: null };
    const disk = { type: 'qcow2' as const, digest: digestOf('earlier'), file, inputs: digestOf('earlier inputs') };
    const kept = { platform: 'amd64' as const, digest: digestOf('earlier amd64'), disks: [disk] };
    standIns.behave(release, {
      resolve: (_, { ordinary }) => ({ ...ordinary(), kept: [kept] }),
      index: ({ entries }, { ordinary }) => {
        if (entries.some((entry) => entry.digest === disk.digest)) throw failed('disk-vanished', 'gone');
        return ordinary();
      },
    });
    expect(await (await start(request)).result()).toMatchObject({ status: 'released' });
    const made = standIns.callsOf(release, 'diskBuild').map(({ input }) => (input as { platform: string }).platform);
    expect(made.toSorted()).toEqual(['amd64', 'arm64', 'arm64']);
    expect(standIns.callsOf(release, 'build')).toHaveLength(1);
  });

  test('of a platform that was taken over are made when a changed spec asks for others', async () => {
    const { standIns, start, until, retry } = house();
    const request = twoPlatforms('kept-changed', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    const changed = { ...request, builder: { ...request.builder, rootfs: 'xfs' } };
    const file = { size: 1, sha256: 'a'.repeat(64), host: 'host-a', path: null };
    const disk = { type: 'qcow2' as const, digest: digestOf('earlier'), file, inputs: digestOf('earlier inputs') };
    const kept = { platform: 'amd64' as const, digest: digestOf('earlier amd64') };
    standIns.behave(release, {
      resolve: (input, { ordinary }) => {
        return { ...ordinary(), kept: [{ ...kept, disks: input.request.builder.rootfs === 'xfs' ? [] : [disk] }] };
      },
      diskBuild: ({ rootfs }, { ordinary }) => {
        if (rootfs !== 'xfs') throw failed('builder', 'exit status 1');
        return ordinary();
      },
    });
    const handle = await start(request);
    await until(handle, 'held', ({ status }) => status === 'held');
    expect(await retry(handle, changed)).toEqual({ resumed: ['qcow2-arm64'] });
    const record = await handle.result();
    expect(record.disks[0]!.platforms!.map(({ digest }) => digest)).not.toContain(disk.digest);
    const made = standIns.callsOf(release, 'diskBuild').map(({ input }) => (input as { platform: string }).platform);
    expect(made.toSorted()).toEqual(['amd64', 'arm64', 'arm64']);
    expect(standIns.callsOf(release, 'build')).toHaveLength(1);
  });
});
