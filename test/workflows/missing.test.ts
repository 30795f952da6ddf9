/** A release of which only a part is missing: what stands is signed and verified again, and not made. */
import { expect, test } from 'vitest';
import { DECIDE_UPDATE, shownDigests } from '../../model/release/approval.ts';
import type { ReleaseRecord, ReusedDisk } from '../../model/release/record.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { digestOf, idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed, type ActivityName, type Behaviour } from './stand-ins.ts';

const house = useHouse('missing');
const IMAGE = digestOf('image of an earlier release');
const BUILT = '2026-11-20T02:03:00.000Z';
const disk = (type: ReusedDisk['type']): ReusedDisk => ({
  type,
  digest: digestOf(`earlier ${type}`),
  file: { size: 1, sha256: 'a'.repeat(64), host: 'host-a', path: '/srv/disks/disk' },
  inputs: { [type]: digestOf(`inputs of ${type}`) },
});
const rows = ({ stages }: ReleaseRecord) => stages.map(({ name, subject, status }) => `${name} ${subject} ${status}`);

function begin(request: ReleaseRequest, disks: ReusedDisk[], behaviour: Behaviour = {}) {
  const { standIns, start } = house();
  standIns.behave(idOf(request), {
    resolve: (_, { ordinary }) => ({
      ...ordinary(),
      existingTag: IMAGE,
      reuse: { digest: IMAGE, builtAt: BUILT, disks },
      reason: 'something is missing',
    }),
    ...behaviour,
  });
  return start(request);
}
const called = (request: ReleaseRequest, ...names: ActivityName[]) => house().standIns.callsOf(idOf(request), ...names);
const digestsOf = (request: ReleaseRequest, name: 'sign' | 'verify') =>
  called(request, name).map(({ input }) => (input as { digest: string }).digest);

test('a further tag is signed, verified and made; nothing is built, and no host is asked', async () => {
  const request = requestFor('more-tags', { alsoTag: ['stable'], disks: { qcow2: 'artifact' } });
  const record = await (await begin(request, [disk('qcow2')])).result();
  expect(record).toMatchObject({
    status: 'released',
    reason: 'something is missing',
    image: { digest: IMAGE, verified: true, builtAt: BUILT },
    disks: [{ type: 'qcow2', digest: disk('qcow2').digest, verified: true, file: disk('qcow2').file }],
    inputs: { disks: disk('qcow2').inputs },
  });
  expect(rows(record)).toEqual([
    'resolve release done',
    'build image skipped',
    'push image skipped',
    'sign image done',
    'verify image done',
    'sign qcow2 done',
    'verify qcow2 done',
    'tag release done',
    'record release done',
  ]);
  expect(called(request, 'claim', 'build', 'diskBuild', 'publish', 'cleanUp')).toEqual([]);
  expect(digestsOf(request, 'verify')).toEqual([IMAGE, disk('qcow2').digest]);
  const [shared] = called(request, 'moveSharedTag');
  // The image is no newer for it.
  expect(shared!.input).toMatchObject({ made: BUILT, moves: [{ tag: 'stable', digest: IMAGE }] });
  const [recorded] = called(request, 'record');
  expect(recorded!.input).toMatchObject({ tags: ['v1', 'stable'] });
});

test('one disk that is lost is made, and the other is not', async () => {
  const request = requestFor('one-lost', { disks: { qcow2: 'artifact', vmdk: 'artifact' } });
  const record = await (await begin(request, [disk('vmdk')])).result();
  expect(rows(record).slice(5, -2)).toEqual([
    'sign vmdk done',
    'verify vmdk done',
    'disk-build qcow2 done',
    'publish qcow2 done',
    'sign qcow2 done',
    'verify qcow2 done',
  ]);
  expect(record.disks.map(({ type, verified }) => [type, verified])).toEqual([
    ['qcow2', true],
    ['vmdk', true],
  ]);
  expect(record.disks[1]!.digest).toBe(disk('vmdk').digest);
  expect(called(request, 'diskBuild').map(({ input }) => (input as { types: string[] }).types)).toEqual([['qcow2']]);
  const [tagged] = called(request, 'tag');
  expect(tagged!.input).toMatchObject({
    moves: [{ digest: record.disks[0]!.digest }, { digest: disk('vmdk').digest }, { digest: IMAGE, expected: IMAGE }],
  });
});

test('a disk that vanishes before it is verified is made after all', async () => {
  const request = requestFor('vanishing', { disks: { qcow2: 'artifact', vmdk: 'artifact' } });
  const handle = await begin(request, [disk('qcow2'), disk('vmdk')], {
    verify: ({ digest }, { ordinary }) => {
      if (digest === disk('qcow2').digest) throw failed('disk-vanished', 'it is gone');
      return ordinary();
    },
  });
  const record = await handle.result();
  expect(record.disks.map(({ digest }) => digest === disk('qcow2').digest)).toEqual([false, false]);
  expect(record.disks[1]!.digest).toBe(disk('vmdk').digest);
  expect(called(request, 'build')).toEqual([]);
});

test('a disk that vanishes before it is tagged is made after all', async () => {
  const request = requestFor('vanished', { disks: { qcow2: 'artifact' } });
  const handle = await begin(request, [disk('qcow2')], {
    tag: ({ moves }, { attempt, ordinary }) =>
      moves.some(({ digest }) => digest === disk('qcow2').digest)
        ? { attempts: attempt, moved: [], vanished: [disk('qcow2').digest!] }
        : ordinary(),
  });
  const record = await handle.result();
  expect(record).toMatchObject({ status: 'released', image: { digest: IMAGE } });
  expect(record.disks[0]!.digest).not.toBe(disk('qcow2').digest);
});

test('with the image its disks go: they are made of what is built then', async () => {
  const request = requestFor('image-lost', { disks: { qcow2: 'artifact' } });
  const handle = await begin(request, [disk('qcow2')], {
    verify: ({ digest }, { ordinary }) => {
      if (digest === IMAGE) throw failed('disk-vanished', 'it is gone');
      return ordinary();
    },
  });
  const record = await handle.result();
  expect(record.image.digest).not.toBe(IMAGE);
  expect(record.disks[0]!.digest).not.toBe(disk('qcow2').digest);
  expect(rows(record)).toContain('disk-build qcow2 done');
});

test('a new approval is waited for, with the digests that stand', async () => {
  const request = requestFor('asks', { approval: 'required', disks: { qcow2: 'artifact' } });
  const handle = await begin(request, [disk('qcow2')]);
  const held = await house().until(handle, 'it is held', ({ status }) => status === 'held');
  expect(shownDigests(held)).toEqual([IMAGE, disk('qcow2').digest]);
  const word = { decision: 'approve', by: 'ann', comment: 'seen', digests: shownDigests(held) };
  await handle.executeUpdate(DECIDE_UPDATE, { args: [word] });
  expect(await handle.result()).toMatchObject({ status: 'released', approval: { by: 'ann' } });
  expect(called(request, 'build', 'diskBuild')).toEqual([]);
});
