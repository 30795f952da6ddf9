import { describe, expect, test } from 'vitest';
import type { AttestInput } from '../../model/contract/sign.ts';
import { DECIDE_UPDATE, shownDigests, type Decision } from '../../model/release/approval.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { builderRunId } from '../../model/oci/reference.ts';
import { keptOf } from '../support/history.ts';
import { digestOf, idOf, requestFor, type RequestChanges } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed } from './stand-ins.ts';

const house = useHouse('left-out');

const request = (name: string, more: RequestChanges = {}) =>
  requestFor(name, {
    disks: {},
    platforms: ['amd64', 'arm64'],
    allowMissing: ['arm64'],
    alsoTag: ['latest'],
    ...more,
  });
type Handle = Awaited<ReturnType<ReturnType<typeof house>['start']>>;
const decide = (handle: Handle, word: Partial<Decision> = {}) => {
  const by = { by: 'ann@laptop', comment: 'no arm64 host' };
  return handle.executeUpdate(DECIDE_UPDATE, {
    args: [{ decision: 'approve', without: 'arm64', ...by, digests: [], ...word }],
  });
};
const refusal = async (update: Promise<unknown>) => {
  const error = (await update.catch((caught: unknown) => caught)) as { cause?: { message?: string } };
  return error.cause?.message;
};
const isHeld = ({ status }: ReleaseRecord) => status === 'held';
const missing = { platform: 'arm64', by: 'ann@laptop', comment: 'no arm64 host' };

describe.concurrent('a release without one of its platforms', () => {
  test('goes on with the others once a person approves it, and says so everywhere', async () => {
    const { client, standIns, start, until } = house();
    const asked = request('image', {
      disks: { qcow2: 'artifact' },
      notify: [{ webhook: 'chat', on: ['released'] }],
      provenance: { spec: digestOf('spec') },
    });
    const release = idOf(asked);
    standIns.behave(release, {
      build: ({ architecture }, { ordinary }) => {
        if (architecture === 'arm64') throw failed('containerfile', 'exit status 1');
        return ordinary();
      },
    });
    const handle = await start(asked);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure!.remedy.action).toContain('or `flightline approve RELEASE --without linux/arm64');
    expect(standIns.callsOf(release, 'index', 'sign', 'tag')).toEqual([]);
    await decide(handle);
    const record = await handle.result();

    const digest = record.image.platforms![0]!.digest!;
    const entries = [{ platform: 'amd64', digest }];
    expect(record).toMatchObject({
      status: 'released',
      image: {
        digest: digestOf(`index ${JSON.stringify(entries)}`),
        verified: true,
        platforms: entries,
        missing: [{ ...missing, kind: 'containerfile', message: 'exit status 1' }],
      },
    });
    expect(record.image.platforms).toHaveLength(1);
    expect(record.disks[0]!.platforms!.map(({ platform }) => platform)).toEqual(['amd64']);
    expect(record.inputs!.base.map(({ platform }) => platform)).toEqual(['amd64']);
    expect(record.stages.filter(({ subject }) => subject.includes('arm64'))).toEqual([]);
    expect(record.stages.every(({ status }) => status === 'done')).toBe(true);
    expect(standIns.callsOf(release, 'build')).toHaveLength(2);

    const [moved] = standIns.callsOf(release, 'moveSharedTag').map(({ input }) => input as { by: string; why: string });
    const why = `released ${asked.repository}:v1; linux/arm64 is missing, as ann@laptop approved on `;
    expect(moved).toMatchObject({ by: 'ann@laptop', why: expect.stringContaining(why) as string });
    expect(moved!.why).toContain('no arm64 host (containerfile: exit status 1)');
    await expect
      .poll(() => standIns.callsOf(release, 'notify').map(({ input }) => input))
      .toMatchObject([{ notification: { missing: [expect.stringContaining('linux/arm64 is missing')] } }]);
    const [attested] = standIns.callsOf(release, 'attest').map(({ input }) => input as AttestInput);
    expect(attested!.parameters!.platforms).toEqual(['amd64']);
    const [kept] = await keptOf(client, release);
    expect(kept!.events.length).toBeLessThanOrEqual(170);
  });

  test('makes the indexes again when a disk of it is held, and builds nothing a second time', async () => {
    const { client, standIns, start, until } = house();
    const asked = request('disk', { disks: { qcow2: 'artifact', vmdk: 'artifact' } });
    const release = idOf(asked);
    standIns.behave(release, {
      diskBuild: ({ platform }, { ordinary }) => {
        if (platform === 'arm64') throw failed('builder', 'exit status 1');
        return ordinary();
      },
    });
    const handle = await start(asked);
    const held = await until(handle, 'held', isHeld);
    expect(held.image).toMatchObject({ verified: true, platforms: [{ platform: 'amd64' }, { platform: 'arm64' }] });
    await decide(handle);
    const record = await handle.result();
    const only = (parts: { platform: string; digest: string | null }[]) =>
      parts.map(({ platform, digest }) => ({ platform, digest }));
    for (const { digest, verified, platforms } of [record.image, ...record.disks]) {
      expect(platforms!.map(({ platform }) => platform)).toEqual(['amd64']);
      expect({ digest, verified }).toEqual({
        digest: digestOf(`index ${JSON.stringify(only(platforms!))}`),
        verified: true,
      });
    }
    expect(record.image.digest).not.toBe(held.image.digest);
    const made = standIns.callsOf(release, 'build', 'push', 'diskBuild', 'publish');
    const platformsOf = made.map(({ input }) => (input as { platform?: string }).platform);
    expect(platformsOf.filter((one) => one === 'amd64')).toHaveLength(5);
    const signed = standIns.callsOf(release, 'sign').map(({ input }) => (input as { digest: string }).digest);
    const [{ moves }] = standIns
      .callsOf(release, 'tag')
      .map(({ input }) => input as { moves: { digest: string }[] }) as [{ moves: { digest: string }[] }];
    expect(signed).toEqual(expect.arrayContaining(moves.map(({ digest }) => digest)));
    expect(moves.map(({ digest }) => digest)).not.toContain(held.image.digest);
    const runs = (await keptOf(client, release)).map(({ workflowId }) => workflowId);
    expect(runs).toContain(builderRunId(release, 'qcow2-amd64+vmdk-amd64'));
  });

  test('is asked about its tags as any other, and a changed spec does not bring the platform back', async () => {
    const { standIns, start, until, retry } = house();
    const asked = request('asked', { approval: 'required', verification: 'bake' });
    const release = idOf(asked);
    let fixed = false;
    standIns.behave(release, {
      deviceVerify: ({ platform }, { ordinary }) => {
        if (platform === 'arm64' || !fixed) throw failed('device-policy', 'would refuse it');
        return ordinary();
      },
    });
    const handle = await start({ ...asked, allowMissing: [] });
    // The first device refuses, so the other has not been asked.
    await until(handle, 'held', isHeld);
    fixed = true;
    await retry(handle, asked);
    await until(handle, 'held for arm64', ({ status, stages }) => {
      const row = stages.find(({ name, subject }) => name === 'device-verify' && subject === 'image-arm64');
      return status === 'held' && row?.status === 'held';
    });
    await decide(handle);
    const waits = ({ failure }: ReleaseRecord) => failure?.kind === 'approval-needed';
    const record = await until(handle, 'waits for approval', waits);
    expect(record.image).toMatchObject({ platforms: [{ platform: 'amd64' }], missing: [missing] });
    await retry(handle, asked);
    const again = await until(handle, 'waits again', waits);
    expect(standIns.callsOf(release, 'tag')).toEqual([]);
    await decide(handle, { without: undefined, comment: 'tested', digests: shownDigests(again) });
    expect(await handle.result()).toMatchObject({
      status: 'released',
      image: { missing: [missing] },
      approval: { comment: 'tested' },
    });
  });

  test('keeps the image that it takes over of an earlier release', async () => {
    const { standIns, start, until } = house();
    const asked = request('reused', { disks: { qcow2: 'artifact', vmdk: 'artifact' } });
    const release = idOf(asked);
    const file = { size: 1, sha256: 'a'.repeat(64), host: 'host-a', path: null };
    const parts = (what: string) =>
      asked.platforms!.map((platform) => ({ platform, digest: digestOf(`${what} for ${platform}`), file }));
    const inputs = Object.fromEntries(asked.platforms!.map((one) => [`vmdk-${one}`, digestOf(`inputs ${one}`)]));
    const disk = { type: 'vmdk' as const, digest: digestOf('vmdk'), file: null, platforms: parts('vmdk'), inputs };
    const image = { digest: digestOf('index'), platforms: parts('image').map(({ file: _, ...one }) => one) };
    const builtAt = '2026-01-01T00:00:00.000Z';
    standIns.behave(release, {
      resolve: (_, { ordinary }) => ({ ...ordinary(), reuse: { ...image, builtAt, disks: [disk] } }),
      diskBuild: ({ platform }, { ordinary }) => {
        if (platform === 'arm64') throw failed('builder', 'exit status 1');
        return ordinary();
      },
    });
    const handle = await start(asked);
    await until(handle, 'held', isHeld);
    await decide(handle);
    const record = await handle.result();
    expect(record.image.platforms).toEqual([{ ...image.platforms[0], builtAt }]);
    expect(record.disks.map(({ platforms, verified }) => [platforms!.length, verified])).toEqual(
      Array(2).fill([1, true]),
    );
    expect(standIns.callsOf(release, 'build')).toEqual([]);
    const built = standIns.callsOf(release, 'diskBuild').map(({ input }) => (input as { branch: string }).branch);
    expect(built.toSorted()).toEqual(['qcow2-amd64', 'qcow2-amd64+vmdk-amd64', 'qcow2-arm64']);
  });

  test('needs a platform that is held and may be missing, a reason, and another platform that stays', async () => {
    const { standIns, start, until, retry } = house();
    const asked = request('refused');
    const release = idOf(asked);
    let fixed = false;
    standIns.behave(release, {
      build: ({ architecture }, { ordinary }) => {
        if (architecture === 'arm64' && !fixed) throw failed('containerfile', 'exit status 1');
        return ordinary();
      },
    });
    const handle = await start({ ...asked, allowMissing: ['amd64'] });
    await until(handle, 'held', isHeld);
    expect(await refusal(decide(handle))).toMatch(/does not allow linux\/arm64 to be missing/);
    expect(await refusal(decide(handle, { without: 'amd64' }))).toMatch(/nothing of linux\/amd64 is held/);
    await retry(handle, asked);
    await until(handle, 'held again', isHeld);
    expect(await refusal(decide(handle, { comment: '' }))).toMatch(/why a platform is missing/);
    expect(await refusal(decide(handle, { decision: 'reject' }))).toMatch(/only an approval/);
    expect(await refusal(decide(handle, { without: undefined }))).toMatch(/does not wait for approval/);
    fixed = true;
    await retry(handle);
    const record = await handle.result();
    expect(record.image.platforms).toHaveLength(2);
    expect(record.image.missing).toBeUndefined();
  });
});
