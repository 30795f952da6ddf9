import { describe, expect, test } from 'vitest';
import type { RecordInput, SignInput, TagInput } from '../../model/contract/sign.ts';
import type { MoveInput } from '../../model/tags/shared-tag.ts';
import { builderRunId } from '../../model/oci/reference.ts';
import { keptOf, largestPayload } from '../support/history.ts';
import { digestOf, idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';

const house = useHouse('clean');

describe.concurrent('a clean release', () => {
  test('tells in its record what the build told of the image', async () => {
    const { standIns, start } = house();
    const told = { certificateEnds: '2027-11-23T18:00:00.000Z', warnings: ['anybody can pull it'] };
    const request = requestFor('enrolled', { disks: {}, enrollment: { binding: 'early', config: 'agent' } });
    standIns.behave(idOf(request), { build: (_, { ordinary }) => ({ ...ordinary(), ...told }) });
    const record = await (await start(request)).result();
    expect(record).toMatchObject({ status: 'released', warnings: told.warnings });
    expect(record.image.certificateEnds).toBe(told.certificateEnds);
    const [written] = standIns.callsOf(idOf(request), 'record');
    expect((written!.input as RecordInput).record).toMatchObject({ image: record.image, warnings: told.warnings });
    const [built] = standIns.callsOf(idOf(request), 'build');
    expect(built!.input).toMatchObject({ enrollment: request.enrollment });
  });

  test('of three disks runs its stages in order, within the budget of events and bytes', async () => {
    const { client, standIns, start } = house();
    const request = requestFor('clean', { alsoTag: ['latest'] });
    const release = idOf(request);
    const handle = await start(request);
    const record = await handle.result();

    expect(record.status).toBe('released');
    expect(record.failure).toBeNull();
    expect(record.image).toMatchObject({ reference: `${request.repository}:v1`, verified: true });
    expect(record.stages.map((row) => [row.name, row.subject, row.status, row.attempts])).toEqual([
      ['resolve', 'release', 'done', 1],
      ['build', 'image', 'done', 1],
      ['push', 'image', 'done', 1],
      ['sign', 'image', 'done', 1],
      ['verify', 'image', 'done', 1],
      ['disk-build', 'qcow2+vmdk', 'done', 1],
      ['publish', 'qcow2', 'done', 1],
      ['sign', 'qcow2', 'done', 1],
      ['verify', 'qcow2', 'done', 1],
      ['publish', 'vmdk', 'done', 1],
      ['sign', 'vmdk', 'done', 1],
      ['verify', 'vmdk', 'done', 1],
      ['disk-build', 'iso', 'done', 1],
      ['publish', 'iso', 'done', 1],
      ['sign', 'iso', 'done', 1],
      ['verify', 'iso', 'done', 1],
      ['tag', 'release', 'done', 1],
      ['record', 'release', 'done', 1],
    ]);
    for (const row of record.stages) {
      expect(row.startedAt, `${row.name} ${row.subject}`).not.toBeNull();
      expect(row.durationMs, `${row.name} ${row.subject}`).not.toBeNull();
    }
    expect(record.stages.find(({ name }) => name === 'build')).toMatchObject({
      host: 'host-a',
      log: { host: 'host-a', path: '/logs/build.log' },
    });
    expect(record.disks.map((disk) => [disk.type, disk.form, disk.reference, disk.verified])).toEqual([
      ['qcow2', 'container-disk', `${request.repository}/diskimage-qcow2:v1`, true],
      ['vmdk', 'artifact', `${request.repository}/diskimage-vmdk:v1`, true],
      ['iso', 'artifact', `${request.repository}/diskimage-iso:v1`, true],
    ]);
    expect(record.disks.every((disk) => disk.file?.path === null)).toBe(true);
    expect(Object.keys(record.inputs?.disks ?? {}).sort()).toEqual(['iso', 'qcow2', 'vmdk']);

    const order = standIns.callsOf(release).map((call) => call.activity);
    const first = (name: (typeof order)[number]) => order.indexOf(name);
    const last = (name: (typeof order)[number]) => order.lastIndexOf(name);
    expect(Math.max(first('resolve'), first('proveSigning'))).toBeLessThan(first('build'));
    expect(first('build')).toBeLessThan(first('push'));
    expect(first('push')).toBeLessThan(Math.min(first('sign'), first('diskBuild')));
    expect(last('verify')).toBeLessThan(first('tag'));
    expect(first('tag')).toBeLessThan(first('record'));
    // Beside the record, and after the hosts' last work.
    expect(last('cleanUp')).toBeGreaterThan(Math.max(last('publish'), last('keepLogs')));
    expect(order.filter((name) => name === 'cleanUp')).toHaveLength(1);

    const signedImage = standIns
      .callsOf(release, 'sign')
      .map((call) => call.input as SignInput)
      .find(({ repository }) => repository === request.repository);
    expect(signedImage?.tags).toEqual(['v1', 'latest']);
    const { moves } = standIns.callsOf(release, 'tag')[0]!.input as TagInput;
    expect(moves.map((move) => [`${move.repository}:${move.tag}`, move.expected])).toEqual([
      [`${request.repository}/diskimage-qcow2:v1`, { leftBy: request.repository }],
      [`${request.repository}/diskimage-vmdk:v1`, { leftBy: request.repository }],
      [`${request.repository}/diskimage-iso:v1`, { leftBy: request.repository }],
      [`${request.repository}:v1`, null],
    ]);
    const shared = standIns.callsOf(release, 'moveSharedTag')[0]!.input as MoveInput;
    expect(shared.moves).toEqual([
      { repository: request.repository, tag: 'latest', digest: record.image.digest, expected: 'any' },
    ]);
    expect(first('tag')).toBeLessThan(first('moveSharedTag'));
    expect(first('moveSharedTag')).toBeLessThan(first('record'));
    const { record: published, tags } = standIns.callsOf(release, 'record')[0]!.input as RecordInput;
    expect(tags).toEqual(['v1', 'latest']);
    expect(published.status).toBe('released');
    expect(published.stages.every((row) => row.status === 'done')).toBe(true);

    const histories = await keptOf(client, release);
    expect(histories.map((one) => one.workflowId).sort()).toEqual(
      [release, builderRunId(release, 'iso'), builderRunId(release, 'qcow2+vmdk')].sort(),
    );
    const events = histories.reduce((sum, one) => sum + one.events.length, 0);
    expect(events).toBeLessThanOrEqual(200);
    expect(largestPayload(histories)).toBeLessThanOrEqual(10_000);
  });

  test('lets machines follow a tag that a promotion moves: it is signed for it, and does not move it', async () => {
    const { standIns, start } = house();
    const request = requestFor('followed', { updateFrom: 'promoted', disks: { qcow2: 'artifact' } });
    const record = await (await start(request)).result();
    expect(record.disks.map(({ updateFrom }) => updateFrom)).toEqual([`${request.repository}:promoted`]);
    const inputs = (activity: 'sign' | 'diskBuild' | 'tag') =>
      standIns.callsOf(idOf(request), activity).map(({ input }) => input);
    expect(inputs('diskBuild')).toMatchObject([{ image: { tag: 'v1' }, updateFrom: 'promoted' }]);
    const signed = (inputs('sign') as SignInput[]).map(({ repository, tags }) => [repository, tags]);
    expect(signed).toContainEqual([request.repository, ['v1', 'promoted']]);
    expect(signed).toContainEqual([`${request.repository}/diskimage-qcow2`, ['v1']]);
    const moved = (inputs('tag') as TagInput[]).flatMap(({ moves }) => moves.map(({ tag }) => tag));
    expect(moved).toEqual(['v1', 'v1']);
  });

  test('shows itself in the Web UI: summaries, details, search attributes', async () => {
    const { client, start } = house();
    const request = requestFor('shown', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    const handle = await start(request);
    await handle.result();

    const description = await handle.describe();
    expect(await description.staticSummary()).toBe('shown: registry.example/acme/shown:v1 with qcow2');
    const child = await client.workflow.getHandle(builderRunId(release, 'qcow2')).describe();
    expect(await child.staticSummary()).toBe('disks qcow2 of registry.example/acme/shown:v1');
    const attributes = Object.fromEntries(
      description.typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]),
    );
    expect(attributes).toMatchObject({ FlightlineStatus: 'released', FlightlineHost: ['host-a'] });
    expect(attributes).not.toHaveProperty('FlightlineStage');
    expect(child.typedSearchAttributes.getAll().filter(({ key }) => key.name.startsWith('Flightline'))).toEqual([]);

    const metadata = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(metadata.currentDetails).toContain('**registry.example/acme/shown:v1** is **released**');
    expect(metadata.currentDetails).toContain('| disk-build | qcow2 | done | host-a | 1 |');
    expect(metadata.currentDetails).toMatch(
      /image `registry\.example\/acme\/shown:v1`: `sha256:[0-9a-f]{64}`, verified/,
    );

    const { events } = await handle.fetchHistory();
    const summaries = (events ?? [])
      .filter((event) => event.activityTaskScheduledEventAttributes)
      .map((event) => Buffer.from(event.userMetadata?.summary?.data ?? '').toString());
    expect(summaries).toEqual([
      '"prove that release may sign"',
      '"resolve registry.example/acme/shown:v1"',
      '"claim any amd64 host for image"',
      '"build image on host-a"',
      '"push image from host-a"',
      '"sign image"',
      '"verify image"',
      '"tag v1"',
      '"record v1"',
      '"clean up host-a"',
    ]);
  });

  test('without disks, and with a disk that is not published', async () => {
    const { standIns, start } = house();
    const bare = requestFor('bare', { disks: {} });
    expect((await (await start(bare)).result()).disks).toEqual([]);

    const kept = requestFor('kept', { disks: { qcow2: 'none' }, keepFiles: '/srv/disks' });
    const record = await (await start(kept)).result();
    expect(record.disks[0]).toMatchObject({ reference: null, digest: null, file: { path: '/srv/disks/disk.qcow2' } });
    expect(
      record.stages.filter(({ subject }) => subject === 'qcow2').map(({ name, status }) => [name, status]),
    ).toEqual([
      ['disk-build', 'done'],
      ['publish', 'done'],
      ['sign', 'skipped'],
      ['verify', 'skipped'],
    ]);
    expect(standIns.callsOf(idOf(kept), 'sign')).toHaveLength(1);
  });

  test.each([
    ['whose inputs were released before ends as unchanged', 'unchanged', undefined],
    [
      'of what is made when it has changed proves nothing when it has not',
      'when-changed',
      { maxAge: null, last: null },
    ],
  ])('%s', async (_title, name, rebuild) => {
    const { standIns, start } = house();
    const request = requestFor(name, { rebuild });
    const release = idOf(request);
    const earlier = await (await start(request)).result();
    standIns.behave(release, { resolve: (_, { ordinary }) => ({ ...ordinary(), unchanged: earlier }) });
    const before = standIns.callsOf(release).length;
    const handle = await start(request);
    const record = await handle.result();

    expect(record).toMatchObject({ status: 'unchanged', image: earlier.image, disks: earlier.disks });
    expect(record.runId).not.toBe(earlier.runId);
    expect(record.stages.map(({ status }) => status)).toEqual(['done', ...Array<string>(17).fill('skipped')]);
    const names = standIns
      .callsOf(release)
      .slice(before)
      .map((call) => call.activity);
    expect(names).toContain('resolve');
    expect(names).not.toContain('build');
    if (rebuild) expect(names).not.toContain('proveSigning');
    const description = await handle.describe();
    const status = description.typedSearchAttributes.getAll().find(({ key }) => key.name === 'FlightlineStatus');
    expect(status?.value).toBe('unchanged');
  });

  test('moves an existing tag only by policy', async () => {
    const { standIns, start } = house();
    const existing = digestOf('an earlier image');
    for (const [policy, expected] of [
      ['move', 'any'],
      ['create', existing],
    ] as const) {
      const request = requestFor(`policy-${policy}`, { disks: {}, tagPolicy: policy });
      standIns.behave(idOf(request), { resolve: (_, { ordinary }) => ({ ...ordinary(), existingTag: existing }) });
      await (await start(request)).result();
      const { moves } = standIns.callsOf(idOf(request), 'tag')[0]!.input as TagInput;
      expect(moves[0]).toMatchObject({ expected });
    }
  });
});
