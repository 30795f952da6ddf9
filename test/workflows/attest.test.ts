/** A release that asks for provenance: what is attested stands before any tag moves. */
import { expect, test } from 'vitest';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { keptOf, largestPayload } from '../support/history.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { digestOf, idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed, type Signatures } from './stand-ins.ts';

const house = useHouse('attest');
const SPDX = 'https://spdx.dev/Document';
const SLSA = 'https://slsa.dev/provenance/v1';
const SPEC = digestOf('flightline.yaml');
const asking = (name: string) =>
  requestFor(name, { disks: { qcow2: 'artifact', iso: 'none' }, provenance: { spec: SPEC } });
const attestation = (subject: string) => ({
  subject,
  of: expect.stringMatching(/^sha256:/) as string,
  predicateType: SLSA,
  digest: digestOf(`attestation of ${subject}`),
});
const statuses = ({ stages }: ReleaseRecord) =>
  stages.filter(({ subject }) => subject === 'release').map(({ name, status }) => `${name} ${status}`);

test('says what was made, once all is verified, and links it in the record', async () => {
  const { standIns, start } = house();
  const request = asking('attested');
  const record = await (await start(request)).result();
  expect(statuses(record)).toEqual(['resolve done', 'attest done', 'tag done', 'record done']);
  const end = ['verify', 'attest', 'tag', 'record'] as const;
  const calls = standIns.callsOf(idOf(request), ...end);
  expect(calls.map(({ activity }) => activity)).toEqual(['verify', 'verify', 'attest', 'tag', 'record']);
  const input = calls.find(({ activity }) => activity === 'attest')!.input as Signatures['attest'][0];
  // A disk that is not published is nowhere to be attested.
  expect(input).toMatchObject({ key: 'release', made: ['image', 'qcow2'], parameters: { spec: SPEC, tag: 'v1' } });
  expect(input.record.image).toMatchObject({ verified: true });
  expect(record.attestations).toEqual([attestation('image'), attestation('qcow2')]);
  expect((calls.at(-1)!.input as Signatures['record'][0]).record.attestations).toEqual(record.attestations);
});

test('lists the packages of each platform before its push, and attests the lists', async () => {
  const { standIns, start } = house();
  const platforms = ['amd64' as const, 'arm64' as const];
  const request = requestFor('listed', { disks: {}, platforms, sbom: ['spdx'] });
  const record = await (await start(request)).result();
  const rows = record.stages.map(({ name, subject, status }) => `${name} ${subject} ${status}`);
  expect(rows.slice(1, 4)).toEqual(['build image-amd64 done', 'sbom image-amd64 done', 'push image-amd64 done']);
  expect(rows).toContain('sbom image-arm64 done');
  const [call] = standIns.callsOf(idOf(request), 'attest');
  const input = call!.input as Signatures['attest'][0];
  expect(input.parameters).toBeUndefined();
  expect(input.sboms.map(({ of }) => of)).toEqual(record.image.platforms!.map(({ digest }) => digest));
});

test('costs an activity for the lists and one for all attestations, and no more events than those bring', async () => {
  const { client, start } = house();
  const historyOf = async (name: string, evidence: Pick<ReleaseRequest, 'provenance' | 'sbom'>) => {
    const request = requestFor(name, { disks: { qcow2: 'artifact' }, ...evidence });
    await (await start(request)).result();
    const histories = await keptOf(client, idOf(request));
    expect(largestPayload(histories)).toBeLessThanOrEqual(10_000);
    const events = histories.flatMap((one) => one.events) as { activityTaskScheduledEventAttributes?: object | null }[];
    const activities = events.filter((one) => one.activityTaskScheduledEventAttributes).length;
    return { events: events.length, activities };
  };
  const without = await historyOf('without-evidence', {});
  const evidence = await historyOf('with-evidence', { provenance: { spec: SPEC }, sbom: ['spdx', 'cyclonedx'] });
  expect(evidence.activities - without.activities).toBe(2);
  // 114 to 120, as branches that end at once share a workflow task or not.
  const most = 126;
  expect(without.events).toBeLessThanOrEqual(most);
  // Of each activity three, the workflow task's three, and the search attribute that names the stage.
  expect(evidence.events).toBeLessThanOrEqual(most + 2 * 7);
});

test('of a platform that is kept, its lists stay linked, and nothing is attested of it again', async () => {
  const { standIns, start } = house();
  const request = requestFor('kept-list', { disks: {}, platforms: ['amd64', 'arm64'], sbom: ['spdx'] });
  const digest = digestOf('earlier amd64');
  const list = { ...attestation('image'), of: digest, predicateType: SPDX, digest: digestOf('earlier list') };
  const kept = { platform: 'amd64' as const, digest, disks: [], attestations: [list] };
  standIns.behave(idOf(request), { resolve: (_, { ordinary }) => ({ ...ordinary(), kept: [kept as never] }) });
  const record = await (await start(request)).result();
  const [call] = standIns.callsOf(idOf(request), 'attest');
  const { sboms } = call!.input as Signatures['attest'][0];
  expect(sboms.map(({ of }) => of)).toEqual([record.image.platforms![1]!.digest]);
  expect(record.attestations).toEqual([list, attestation('image')]);
});

test('tells with what an update costs how many packages it changes', async () => {
  const { standIns, start } = house();
  const request = requestFor('counted', { disks: {}, alsoTag: ['latest'], updateFrom: 'latest', sbom: ['spdx'] });
  const packages = { added: 1, removed: 2, changed: 14 };
  const cost = { from: `${request.repository}:latest`, digest: digestOf('before'), bytes: 5, layers: 1, of: 3 };
  standIns.behave(idOf(request), {
    verify: (_, { ordinary }) => ({ ...ordinary(), updates: [{ platform: 'linux/amd64', ...cost }] }),
    attest: (_, { ordinary }) => ({ ...ordinary(), packages: [{ platform: 'linux/amd64', ...packages }] }),
  });
  const { image } = await (await start(request)).result();
  expect(image.updates).toEqual([{ platform: 'linux/amd64', ...cost, packages }]);
});

test('without Syft it is held before anything is pushed, and goes on where it was', async () => {
  const { standIns, start, until, retry } = house();
  const request = requestFor('no-syft', { disks: {}, sbom: ['spdx', 'cyclonedx'] });
  let installed = false;
  standIns.behave(idOf(request), {
    sbom: (_, { ordinary }) => {
      if (!installed) throw failed('sbom', 'there is no syft on this host');
      return ordinary();
    },
  });
  const handle = await start(request);
  const held = await until(handle, 'held', ({ status }) => status === 'held');
  expect(held.failure).toMatchObject({ kind: 'sbom', stage: 'sbom' });
  expect(standIns.callsOf(idOf(request), 'push')).toEqual([]);
  installed = true;
  await retry(handle);
  const record = await handle.result();
  expect(statuses(record)).toEqual(['resolve done', 'attest done', 'tag done', 'record done']);
  const calls = standIns.callsOf(idOf(request), 'build', 'push').map(({ activity }) => activity);
  expect(calls).toEqual(['build', 'push']);
});

test('without asking there is neither stage nor activity', async () => {
  const { standIns, start } = house();
  const request = requestFor('plain', { disks: {} });
  const record = await (await start(request)).result();
  expect(statuses(record)).toEqual(['resolve done', 'tag done', 'record done']);
  expect(standIns.callsOf(idOf(request), 'attest')).toEqual([]);
  expect(record).not.toHaveProperty('attestations');
});

test('holds before any tag has moved, and says the same again after a retry', async () => {
  const { standIns, start, until, retry } = house();
  const request = asking('held');
  let opens = false;
  standIns.behave(idOf(request), {
    attest: (_, { ordinary }) => {
      if (!opens) throw failed('key-passphrase', 'the passphrase does not open it');
      return ordinary();
    },
  });
  const handle = await start(request);
  const held = await until(handle, 'held', ({ status }) => status === 'held');
  expect(held.failure).toMatchObject({ kind: 'key-passphrase', stage: 'attest' });
  expect(standIns.callsOf(idOf(request), 'tag')).toEqual([]);
  opens = true;
  await retry(handle);
  expect(await handle.result()).toMatchObject({ status: 'released' });
  const times = standIns
    .callsOf(idOf(request), 'attest')
    .map(({ input }) => (input as Signatures['attest'][0]).finishedAt);
  expect(times.length).toBeGreaterThan(1);
  expect(new Set(times).size).toBe(1);
});

test('sends back what the registry has lost, and attests what is made then', async () => {
  const { standIns, start } = house();
  const request = asking('lost');
  standIns.behave(idOf(request), {
    attest: ({ record }, { ordinary }) =>
      standIns.callsOf(idOf(request), 'attest').length > 1
        ? ordinary()
        : { attempts: 1, attestations: [], vanished: [record.image.digest!] },
  });
  const record = await (await start(request)).result();
  expect(record.status).toBe('released');
  const calls = standIns.callsOf(idOf(request), 'push', 'attest', 'tag').map(({ activity }) => activity);
  expect(calls).toEqual(['push', 'attest', 'push', 'attest', 'tag']);
  expect(record.attestations).toEqual([attestation('image'), attestation('qcow2')]);
});

test('what is taken over keeps its attestations, and nothing is attested of it', async () => {
  const { standIns, start } = house();
  const request = asking('taken-over');
  const earlier = { ...attestation('image'), of: digestOf('earlier image'), digest: digestOf('earlier attestation') };
  const digest = digestOf('earlier image');
  standIns.behave(idOf(request), {
    resolve: (_, { ordinary }) => ({
      ...ordinary(),
      existingTag: digest,
      reuse: {
        digest,
        builtAt: null,
        disks: [],
        attestations: [earlier as never, { ...earlier, subject: 'iso' } as never],
      },
    }),
  });
  const record = await (await start(request)).result();
  const [call] = standIns.callsOf(idOf(request), 'attest');
  expect(call!.input).toMatchObject({ made: ['qcow2'] });
  expect(record.attestations).toEqual([earlier, attestation('qcow2')]);
});
