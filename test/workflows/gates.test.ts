/** Gates: what was built is looked at before it is sent; a person may waive what one refused. */
import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import type { GateInput, GateResult } from '../../model/contract/build.ts';
import type { BuilderRunInput } from '../../model/contract/workflows.ts';
import { WAIVE_UPDATE, type Waived, type WaiveInput } from '../../model/gate/gate.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { digestOf, idOf, requestFor, type RequestChanges } from './facts.ts';
import type { ReleaseHandle } from './house.ts';
import { useHouse } from './setup.ts';
import { failed, lookedAt, silent, untilCancelled, type Signatures } from './stand-ins.ts';

const house = useHouse('gates');
const isHeld = ({ status }: ReleaseRecord) => status === 'held';

function gate(name: string, on: 'image' | 'disk' = 'image'): NonNullable<ReleaseRequest['gates']>[number] {
  return { name, image: `registry.example/gates/${name}:1`, arguments: ['--strict'], on, timeout: 60_000 };
}

const gated = (name: string, more: RequestChanges = {}) =>
  requestFor(name, { disks: {}, gates: [gate('licences')], ...more });

/** The answer of gates of which some refuse. */
function refusing(input: GateInput, ...names: string[]): GateResult {
  const outcomes = input.gates.flatMap(({ name }) =>
    lookedAt(input).map((thing) => {
      const passed = !names.includes(name);
      return { gate: name, ...thing, passed, said: passed ? '' : 'it ended with exit code 3:\nGPL-3.0 in /usr/bin/x' };
    }),
  );
  return { attempts: 1, host: 'host-a', log: { host: 'host-a', path: '/logs/gate.log' }, outcomes };
}

const waive = (handle: ReleaseHandle, digests: string[], more: Partial<WaiveInput> = {}) =>
  handle.executeUpdate<Waived, [WaiveInput]>(WAIVE_UPDATE, {
    args: [{ gate: 'licences', digests, by: 'anna@lab', comment: 'asked the lawyers', ...more }],
  });

async function refusalOf(word: Promise<unknown>): Promise<string> {
  const error = await word.then(
    () => new Error('it was taken'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowUpdateFailedError)) throw error;
  return error.cause!.message;
}

const digestsIn = ({ gates = [] }: ReleaseRecord) => gates.map(({ digest }) => digest);

describe.concurrent('a gate', () => {
  test('looks at the image before its push, and the record says that it passed', async () => {
    const { standIns, start } = house();
    const request = gated('passed', { sbom: ['spdx'] });
    const handle = await start(request);
    const record = await handle.result();
    const calls = standIns.callsOf(idOf(request), 'build', 'sbom', 'gate', 'push');
    expect(calls.map(({ activity }) => activity)).toEqual(['build', 'sbom', 'gate', 'push']);
    const input = calls[2]!.input as GateInput;
    expect(input).toMatchObject({
      branch: 'image',
      reference: 'registry.example/acme/passed:v1',
      gates: [{ name: 'licences', digest: digestOf('registry.example/gates/licences:1'), arguments: ['--strict'] }],
    });
    const digest = lookedAt(input)[0]!.digest;
    expect(record.gates).toEqual([{ gate: 'licences', subject: 'image', digest, verdict: 'passed' }]);
    const reference = 'registry.example/gates/licences:1';
    expect(record.inputs?.gates).toMatchObject([
      { name: 'licences', on: 'image', reference, digest: digestOf(reference) },
    ]);
  });

  test('that refuses holds; only what it holds can be waived, and then nothing is asked again', async () => {
    const { standIns, start, until } = house();
    const request = gated('waived', { provenance: { spec: digestOf('spec') } });
    standIns.behave(idOf(request), { gate: (input) => refusing(input, 'licences') });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure).toMatchObject({ kind: 'gate', stage: 'gate' });
    expect(held.failure?.message).toContain('GPL-3.0 in /usr/bin/x');
    expect(held.gates).toMatchObject([{ gate: 'licences', verdict: 'refused' }]);
    const [digest] = digestsIn(held) as [string];
    expect(held.failure?.message).toContain(digest);

    const other = digestOf('another image');
    expect(await refusalOf(waive(handle, [other]))).toBe(
      `the gate licences does not hold ${other}: it holds ${digest}`,
    );
    expect(await refusalOf(waive(handle, [digest], { gate: 'setuid' }))).toContain('has no gate setuid');
    expect(await refusalOf(waive(handle, [digest], { comment: ' ' }))).toContain('why is it waived?');
    expect(await refusalOf(waive(handle, []))).toContain(`it holds ${digest}`);
    expect(standIns.callsOf(idOf(request), 'push')).toEqual([]);

    expect(await waive(handle, [digest])).toMatchObject({ resumed: ['image'] });
    const record = await handle.result();
    const waiver = { by: 'anna@lab', comment: 'asked the lawyers', at: expect.stringMatching(/^20.*Z$/) as string };
    const verdict = { gate: 'licences', subject: 'image', digest, verdict: 'waived', waiver };
    expect(record).toMatchObject({ status: 'released', gates: [verdict] });
    expect(standIns.callsOf(idOf(request), 'gate')).toHaveLength(1);
    const [attested] = standIns.callsOf(idOf(request), 'attest');
    expect((attested!.input as Signatures['attest'][0]).record.gates).toEqual([verdict]);
    const [recorded] = standIns.callsOf(idOf(request), 'record');
    expect((recorded!.input as Signatures['record'][0]).record.gates).toEqual([verdict]);
    const row = record.stages.find(({ name }) => name === 'gate');
    expect(row).toMatchObject({ status: 'done', log: { path: '/logs/gate.log' } });
  });

  test('holds nothing yet while it runs, and cancelling ends it', async () => {
    const { standIns, start, until } = house();
    const request = gated('cancelled');
    standIns.behave(idOf(request), { gate: () => untilCancelled() });
    const handle = await start(request);
    await until(handle, 'at the gate', ({ stages }) =>
      stages.some(({ name, status }) => name === 'gate' && status === 'running'),
    );
    expect(await refusalOf(waive(handle, [digestOf('image')]))).toContain('only what is held can be waived');
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    const record = await until(handle, 'cancelled', ({ status }) => status === 'cancelled');
    expect(record.stages.find(({ name }) => name === 'gate')?.status).toBe('cancelled');
    expect(standIns.callsOf(idOf(request), 'push')).toEqual([]);
    expect(standIns.callsOf(idOf(request), 'cleanUp')).toHaveLength(1);
  });

  test('runs again at a retry, and a waiver is not for the image that another build makes', async () => {
    const { standIns, start, until, retry } = house();
    const request = gated('rebuilt');
    standIns.behave(idOf(request), {
      gate: (input) => refusing(input, 'licences'),
      push: () => {
        throw failed('registry-login', 'no login');
      },
    });
    const handle = await start(request);
    const before = await until(handle, 'held at the gate', isHeld);
    await retry(handle);
    await until(handle, 'asked again', () => standIns.callsOf(idOf(request), 'gate').length === 2);
    await until(handle, 'held again', isHeld);
    await waive(handle, digestsIn(before));
    await until(handle, 'held at the push', (record) => record.failure?.kind === 'registry-login');
    await retry(handle, { ...request, context: { kind: 'artifact', digest: digestOf('another context') } });
    const after = await until(
      handle,
      'held at the gate',
      (record) => isHeld(record) && record.failure?.kind === 'gate',
    );
    expect(digestsIn(after)).not.toEqual(digestsIn(before));
    expect(after.gates).toMatchObject([{ verdict: 'refused' }]);
    expect(await refusalOf(waive(handle, digestsIn(before)))).toContain('does not hold');
    await handle.cancel();
  });

  test('is asked about the same image when a retry has changed it, whatever was waived before', async () => {
    const { standIns, start, until, retry } = house();
    const request = gated('other-gate', { gates: [gate('licences'), gate('setuid')] });
    standIns.behave(idOf(request), {
      gate: (input) => refusing(input, 'licences', 'setuid'),
      push: () => {
        throw failed('registry-login', 'no login');
      },
    });
    const handle = await start(request);
    const before = await until(handle, 'held at the gate', isHeld);
    const [digest] = digestsIn(before) as [string];
    for (const name of ['licences', 'setuid']) await waive(handle, [digest], { gate: name });
    await until(handle, 'held at the push', (record) => record.failure?.kind === 'registry-login');
    const stricter = { ...gate('licences'), arguments: ['--stricter'] };
    await retry(handle, { ...request, gates: [stricter, gate('setuid')] });
    const after = await until(handle, 'held again', (record) => isHeld(record) && record.failure?.kind === 'gate');
    expect(after.gates).toMatchObject([
      { gate: 'licences', digest, verdict: 'refused' },
      { gate: 'setuid', digest, verdict: 'waived' },
    ]);
    const asked = standIns.callsOf(idOf(request), 'gate').map(({ input }) => input as GateInput);
    expect(asked.at(-1)!.waivers?.map((one) => one.gate)).toEqual(['setuid']);
    await handle.cancel();
  });

  test('of two that refuse, each is waived by its name', async () => {
    const { standIns, start, until } = house();
    const request = gated('two', { gates: [gate('licences'), gate('setuid'), gate('age')] });
    standIns.behave(idOf(request), { gate: (input) => refusing(input, 'licences', 'setuid') });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    const [digest] = digestsIn(held) as [string];
    expect(await waive(handle, [digest])).toMatchObject({ resumed: [] });
    const still = await until(handle, 'held', isHeld);
    expect(still.gates?.map(({ verdict }) => verdict)).toEqual(['waived', 'refused', 'passed']);
    expect(await waive(handle, [digest], { gate: 'setuid' })).toMatchObject({ resumed: ['image'] });
    expect(await handle.result()).toMatchObject({ status: 'released' });
    expect(standIns.callsOf(idOf(request), 'gate')).toHaveLength(1);
  });

  test('of several platforms looks at each, and one waived leaves the other held', async () => {
    const { standIns, start, until } = house();
    const request = gated('platforms', { platforms: ['amd64', 'arm64'] });
    standIns.behave(idOf(request), {
      build: ({ platform }, { ordinary }) => ({ ...ordinary(), imageId: digestOf(`image ${platform}`).slice(7) }),
      gate: (input) => refusing(input, 'licences'),
    });
    const handle = await start(request);
    const held = await until(handle, 'both held', (record) => isHeld(record) && record.gates?.length === 2);
    const [amd64, arm64] = digestsIn(held) as [string, string];
    expect(held.gates?.map(({ subject }) => subject)).toEqual(['image-amd64', 'image-arm64']);
    expect(await waive(handle, [amd64])).toMatchObject({ resumed: ['image-amd64'] });
    await until(handle, 'one pushed', ({ stages }) =>
      stages.some(({ name, subject, status }) => name === 'push' && subject === 'image-amd64' && status === 'done'),
    );
    await until(handle, 'held', isHeld);
    expect(await waive(handle, [arm64])).toMatchObject({ resumed: ['image-arm64'] });
    const record = await handle.result();
    expect(record.gates?.map(({ subject, verdict }) => `${subject} ${verdict}`)).toEqual([
      'image-amd64 waived',
      'image-arm64 waived',
    ]);
  });

  test('on a disk looks between its build and its publication, and its waiver reaches the next run', async () => {
    const { standIns, start, until } = house();
    const gates = [gate('licences'), gate('disk-size', 'disk')];
    const request = gated('disks', { gates, disks: { qcow2: 'artifact', vmdk: 'artifact' } });
    standIns.behave(idOf(request), {
      gate: (input, { ordinary }) => (input.branch === 'image' ? ordinary() : refusing(input, 'disk-size')),
    });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure).toMatchObject({ kind: 'gate', stage: 'gate' });
    expect(standIns.callsOf(idOf(request), 'publish')).toEqual([]);
    expect(held.gates?.map(({ gate: name, subject, verdict }) => `${name} ${subject} ${verdict}`)).toEqual([
      'licences image passed',
      'disk-size qcow2 refused',
      'disk-size vmdk refused',
    ]);
    const digests = held.gates!.flatMap(({ digest, verdict }) => (verdict === 'refused' ? [digest] : []));
    expect(await waive(handle, digests.slice(0, 1), { gate: 'disk-size' })).toMatchObject({ resumed: [] });
    expect(await waive(handle, digests.slice(1), { gate: 'disk-size' })).toMatchObject({ resumed: ['qcow2+vmdk'] });
    const record = await handle.result();
    expect(record.status).toBe('released');
    expect(record.gates?.slice(1)).toMatchObject([{ verdict: 'waived' }, { verdict: 'waived' }]);
    const last = standIns.callsOf(idOf(request), 'gate').at(-1)!.input as GateInput & BuilderRunInput;
    expect(last.waivers?.map(({ digest }) => digest)).toEqual(digests);
  });

  test('whose host is lost looks at what another host builds', async () => {
    const { standIns, start } = house();
    const request = gated('lost-host');
    standIns.behave(idOf(request), {
      gate: (_, { host, ordinary }) => (host === 'host-a' ? silent(4_000) : ordinary()),
      probe: (_, { host, ordinary }) => (host === 'host-a' ? silent(4_000) : ordinary()),
      claim: async ({ exclude }, { ordinary }) => {
        await pause(0);
        const answer = ordinary();
        const isLost = standIns.callsOf(idOf(request), 'probe').length > 0 && !exclude.includes('host-a');
        return isLost ? { ...answer, host: 'host-b' } : answer;
      },
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(standIns.hostsOf(idOf(request), 'build')).toEqual(['host-a', 'host-b']);
    expect(standIns.hostsOf(idOf(request), 'gate').at(-1)).toBe('host-b');
    expect(standIns.hostsOf(idOf(request), 'push')).toEqual(['host-b']);
  });

  test('that was taken out of the spec holds no more, and another gate looks at what is pushed', async () => {
    const { standIns, start, until, retry } = house();
    const request = gated('respecified');
    let isSigned = false;
    standIns.behave(idOf(request), {
      gate: (input) => refusing(input, 'licences'),
      sign: (_, { ordinary }) => {
        if (!isSigned) throw failed('key-passphrase', 'the passphrase does not open it');
        return ordinary();
      },
    });
    const handle = await start(request);
    await until(handle, 'held at the gate', isHeld);
    const { gates: _, ...without } = request;
    await retry(handle, without);
    const pushed = await until(handle, 'held at sign', (record) => record.failure?.kind === 'key-passphrase');
    expect(pushed).not.toHaveProperty('gates');
    isSigned = true;
    await retry(handle, { ...request, gates: [gate('setuid')] });
    const record = await handle.result();
    expect(record.gates).toMatchObject([{ gate: 'setuid', verdict: 'passed' }]);
    expect(standIns.callsOf(idOf(request), 'push')).toHaveLength(2);
  });
});

test('without gates there is neither a stage nor an activity, and the record says nothing of them', async () => {
  const { standIns, start } = house();
  const request = requestFor('ungated', { disks: { qcow2: 'artifact' } });
  const record = await (await start(request)).result();
  expect(standIns.callsOf(idOf(request), 'gate')).toEqual([]);
  expect(record.stages.some(({ name }) => name === 'gate')).toBe(false);
  expect(record).not.toHaveProperty('gates');
  expect(record.inputs).not.toHaveProperty('gates');
});

test('what an earlier release stands with keeps its verdicts', async () => {
  const { standIns, start } = house();
  const request = gated('taken-over');
  const digest = digestOf('earlier image');
  const verdict = { gate: 'licences', subject: 'image', digest, verdict: 'passed' as const };
  standIns.behave(idOf(request), {
    resolve: (_, { ordinary }) => ({
      ...ordinary(),
      existingTag: digest,
      reuse: { digest, builtAt: null, disks: [] },
      gated: [verdict],
    }),
  });
  const record = await (await start(request)).result();
  expect(record.gates).toEqual([verdict]);
  expect(standIns.callsOf(idOf(request), 'gate')).toEqual([]);
});
