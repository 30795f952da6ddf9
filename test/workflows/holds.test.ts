import { describe, expect, test } from 'vitest';
import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { BuildInput } from '../../model/contract/build.ts';
import type { SignInput, TagInput } from '../../model/contract/sign.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { digestOf, idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed, untilCancelled } from './stand-ins.ts';

const house = useHouse('holds');
const isHeld = (record: ReleaseRecord) => record.status === 'held';
const rowOf = (record: ReleaseRecord, name: string, subject: string) =>
  record.stages.find((row) => row.name === name && row.subject === subject);

/** The application failure inside what the client throws. */
async function causeOf(promise: Promise<unknown>): Promise<ApplicationFailure> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError)) throw error;
  expect(error.cause).toBeInstanceOf(ApplicationFailure);
  return error.cause as ApplicationFailure;
}

describe.concurrent('a held release', () => {
  test('of a broken Containerfile goes on with a fixed one', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('fixed', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    standIns.behave(release, {
      build: ({ context }, { ordinary }) => {
        if (context.digest === digestOf('context')) throw failed('containerfile', 'STEP 2: RUN false\nexit status 1');
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure).toMatchObject({ kind: 'containerfile', stage: 'build' });
    expect(held.failure?.message).toContain('exit status 1');
    expect(rowOf(held, 'build', 'image')).toMatchObject({ status: 'held', host: 'host-a', attempts: 1 });
    const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toContain('### Held: image (build)');
    expect(currentDetails).toContain(`What to do: fix the Containerfile, then \`flightline retry ${release}`);
    const attributes = Object.fromEntries(
      (await handle.describe()).typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]),
    );
    expect(attributes).toMatchObject({ FlightlineStatus: 'held', FlightlineStage: 'build' });

    const fixed = { ...request, context: { kind: 'artifact' as const, digest: digestOf('fixed context') } };
    expect(await retry(handle, fixed)).toEqual({ resumed: ['image'] });
    const record = await handle.result();
    expect(record.status).toBe('released');
    expect(rowOf(record, 'build', 'image')).toMatchObject({ status: 'done', attempts: 2 });
    expect(record.inputs?.context).toBe(digestOf('fixed context'));
    const builds = standIns.callsOf(release, 'build').map((call) => (call.input as BuildInput).context.digest);
    expect(builds).toEqual([digestOf('context'), digestOf('fixed context')]);
    expect(
      standIns.callsOf(release, 'claim').filter(({ input }) => (input as { branch: string }).branch === 'image'),
    ).toHaveLength(2);
    expect(standIns.callsOf(release, 'proveSigning')).toHaveLength(1);
  });

  test('holds one disk branch while the other finishes, and redoes only that', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('one-branch');
    const release = idOf(request);
    let fixed = false;
    standIns.behave(release, {
      publish: ({ disk }, { ordinary }) => {
        if (disk.type === 'vmdk' && !fixed) throw failed('registry-denied', 'denied: vmdk');
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure).toMatchObject({ kind: 'registry-denied', stage: 'publish' });
    expect(rowOf(held, 'publish', 'vmdk')?.status).toBe('held');
    expect(rowOf(held, 'verify', 'qcow2')?.status).toBe('done');
    expect(rowOf(held, 'verify', 'iso')?.status).toBe('done');
    expect(held.disks.find(({ type }) => type === 'iso')?.verified).toBe(true);
    expect(standIns.callsOf(release, 'tag')).toEqual([]);

    fixed = true;
    expect(await retry(handle)).toEqual({ resumed: ['qcow2+vmdk'] });
    const record = await handle.result();
    expect(record.status).toBe('released');
    expect(standIns.callsOf(release, 'build')).toHaveLength(1);
    const isoBuilds = standIns.callsOf(release, 'diskBuild').filter(({ input }) => {
      return (input as { branch: string }).branch === 'iso';
    });
    expect(isoBuilds).toHaveLength(1);
    expect(rowOf(record, 'publish', 'vmdk')).toMatchObject({ status: 'done', attempts: 2 });
  });

  test.each([
    ['that cannot sign', 'passphrase', undefined],
    ['of what is made when it has changed, and that cannot sign,', 'passphrase-changed', { maxAge: null, last: null }],
  ])('%s is held before anything is built', async (_title, name, rebuild) => {
    const { standIns, start, until, retry } = house();
    const request = requestFor(name, { disks: {}, rebuild });
    const release = idOf(request);
    let fixed = false;
    standIns.behave(release, {
      proveSigning: (_, { ordinary }) => {
        if (!fixed) throw failed('key-passphrase', 'the passphrase does not open the key');
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure).toMatchObject({ kind: 'key-passphrase', stage: 'sign' });
    expect(rowOf(held, 'sign', 'image')?.status).toBe('held');
    expect(standIns.callsOf(release, 'claim')).toEqual([]);
    fixed = true;
    await retry(handle);
    expect((await handle.result()).status).toBe('released');
    expect(standIns.callsOf(release, 'resolve')).toHaveLength(1);
  });

  test('has an image looked at again once it is to be bound late', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('bound-late', { disks: {} });
    const release = idOf(request);
    let fixed = false;
    standIns.behave(release, {
      sign: (_, { ordinary }) => {
        if (!fixed) throw failed('key-missing', 'no such key');
        return ordinary();
      },
    });
    const handle = await start(request);
    await until(handle, 'held', isHeld);
    fixed = true;
    await retry(handle, { ...request, enrollment: { binding: 'late' } });
    expect((await handle.result()).status).toBe('released');
    const builds = standIns.callsOf(release, 'build').map(({ input }) => (input as BuildInput).enrollment);
    expect(builds).toEqual([undefined, { binding: 'late' }]);
  });

  test('refuses a retry that would make it another release, or when nothing is held', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('refused', { disks: {} });
    const release = idOf(request);
    let fixed = false;
    standIns.behave(release, {
      sign: (_, { ordinary }) => {
        if (!fixed) throw failed('key-missing', 'no such key');
        return ordinary();
      },
      resolve: ({ request: asked }, { ordinary }) => {
        if (asked.buildArgs['BASE'] === 'gone') throw failed('image-not-found', 'gone is not there');
        return ordinary();
      },
    });
    const handle = await start(request);
    await until(handle, 'held', isHeld);
    const otherKey = await causeOf(retry(handle, { ...request, key: 'other' }));
    expect(otherKey).toMatchObject({ type: 'invalid-input' });
    expect(otherKey.message).toContain('a retry cannot change the key from release to other');
    const unknownBase = await causeOf(retry(handle, { ...request, buildArgs: { BASE: 'gone' } }));
    expect(unknownBase).toMatchObject({ type: 'image-not-found' });
    expect((await until(handle, 'still held', isHeld)).failure?.kind).toBe('key-missing');
    fixed = true;
    expect(await retry(handle)).toEqual({ resumed: ['image'] });
    await handle.result();
    // One resolve to start with, one for the retry that got as far as asking.
    expect(standIns.callsOf(release, 'resolve')).toHaveLength(2);

    const waiting = requestFor('not-held', { disks: {} });
    standIns.behave(idOf(waiting), { build: untilCancelled });
    const running = await start(waiting);
    await until(running, 'building', (record) => rowOf(record, 'build', 'image')?.status === 'running');
    expect((await causeOf(retry(running))).message).toContain('nothing is held: the release is running');
    await running.cancel();
    await expect(running.result()).rejects.toBeInstanceOf(WorkflowFailedError);
  });

  test('cancels the disks of an outdated image before it builds the new one', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('outdated');
    const release = idOf(request);
    let running = false;
    const runningAtBuild: boolean[] = [];
    standIns.behave(release, {
      build: (_, { ordinary }) => {
        runningAtBuild.push(running);
        return ordinary();
      },
      diskBuild: ({ branch, image }, { ordinary }) => {
        const outdated = image.digest === digestOf(digestOf(`image of ${inputs(request)}`).slice(7));
        if (!outdated) return ordinary();
        if (branch === 'iso') throw failed('builder-configuration', 'no such customization');
        running = true;
        return untilCancelled().finally(() => {
          running = false;
        });
      },
    });
    const handle = await start(request);
    const waiting = await until(handle, 'one branch held', (record) => record.failure !== null && running);
    expect(waiting.status).toBe('running');
    expect(rowOf(waiting, 'disk-build', 'iso')?.status).toBe('held');

    const fixed = { ...request, buildArgs: { VERSION: '2' } };
    expect(await retry(handle, fixed)).toEqual({ resumed: ['iso'] });
    const record = await handle.result();
    expect(record.status).toBe('released');
    expect(record.image.digest).toBe(digestOf(digestOf(`image of ${inputs(fixed)}`).slice(7)));
    const names = standIns.callsOf(release, 'build', 'diskBuild').map((call) => call.activity);
    expect(names).toEqual(['build', 'diskBuild', 'diskBuild', 'build', 'diskBuild', 'diskBuild']);
    expect(runningAtBuild).toEqual([false, false]);
    const { moves } = standIns.callsOf(release, 'tag')[0]!.input as TagInput;
    expect(moves.at(-1)?.digest).toBe(record.image.digest);
  });

  test('keeps a running disk when a retry changes only another one', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('kept-running', { disks: { qcow2: 'artifact', iso: 'artifact' } });
    const release = idOf(request);
    let free = () => {};
    const freed = new Promise<void>((resolve) => {
      free = resolve;
    });
    standIns.behave(release, {
      diskBuild: async ({ branch }, { ordinary }) => {
        if (branch === 'iso') throw failed('builder-configuration', 'no such customization');
        await freed;
        return ordinary();
      },
    });
    const handle = await start({ ...request, timing: { ...request.timing, heartbeatTimeout: 20_000 } });
    await until(handle, 'one branch held', (record) => record.failure !== null);
    const withoutIso = { ...request, disks: request.disks.filter(({ type }) => type !== 'iso') };
    await retry(handle, withoutIso);
    free();
    const record = await handle.result();
    expect(record.status).toBe('released');
    expect(record.disks.map(({ type }) => type)).toEqual(['qcow2']);
    expect(record.stages.some(({ subject }) => subject === 'iso')).toBe(false);
    expect(standIns.callsOf(release, 'diskBuild')).toHaveLength(2);
  });

  test('fails when nobody fixes it in time', async () => {
    const { standIns, start } = house();
    const request = requestFor('expired', { disks: { iso: 'artifact' }, timing: { holdFor: 1_000 } });
    standIns.behave(idOf(request), {
      diskBuild: () => {
        throw failed('builder', 'osbuild failed');
      },
    });
    const handle = await start(request);
    const cause = await causeOf(handle.result());
    expect(cause).toMatchObject({ type: 'builder', message: 'osbuild failed' });
    const { record } = cause.details![0] as { record: ReleaseRecord };
    expect(record.status).toBe('failed');
    expect(record.failure).toMatchObject({ kind: 'builder', stage: 'disk-build' });
    expect(rowOf(record, 'disk-build', 'iso')?.status).toBe('failed');
    expect(rowOf(record, 'tag', 'release')?.status).toBe('skipped');
    expect(standIns.callsOf(idOf(request), 'cleanUp')).toHaveLength(1);
  });

  test('goes back to push when the registry lost a digest', async () => {
    const { standIns, start } = house();
    const request = requestFor('vanished');
    const release = idOf(request);
    standIns.behave(release, {
      tag: ({ moves }, { ordinary }) => {
        const vanished = [moves[1]!.digest, moves[3]!.digest];
        const again = standIns.callsOf(release, 'tag').length > 1;
        return again ? ordinary() : { attempts: 1, moved: [], vanished };
      },
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(standIns.callsOf(release, 'build')).toHaveLength(1);
    expect(standIns.callsOf(release, 'push')).toHaveLength(2);
    // The branch of qcow2 and vmdk ran again, the iso's did not.
    expect(standIns.callsOf(release, 'diskBuild')).toHaveLength(3);
    expect(rowOf(record, 'push', 'image')?.attempts).toBe(2);
    expect(rowOf(record, 'tag', 'release')).toMatchObject({ status: 'done', attempts: 2 });
  });

  test.for([
    ['sign', 'image', { push: 2, diskBuild: 2, sign: 4 }],
    ['verify', 'iso', { push: 1, diskBuild: 3, publish: 3 }],
    ['diskBuild', 'iso', { push: 2, diskBuild: 3, tag: 1 }],
  ] as const)('goes back to push when %s finds that the registry lost %s', async ([name, subject, counts]) => {
    const { standIns, start } = house();
    const request = requestFor(`lost-at-${name.toLowerCase()}`, { disks: { qcow2: 'artifact', iso: 'artifact' } });
    const release = idOf(request);
    let lost = false;
    const lose = <Result>(found: boolean, ordinary: () => Result) => {
      if (!found || lost) return ordinary();
      lost = true;
      throw failed('disk-vanished', 'no longer in the registry');
    };
    const isSubject = (repository: string) =>
      repository === (subject === 'image' ? request.repository : `${request.repository}/diskimage-iso`);
    standIns.behave(release, {
      sign: ({ repository }, { ordinary }) => lose(name === 'sign' && isSubject(repository), ordinary),
      verify: ({ repository }, { ordinary }) => lose(name === 'verify' && isSubject(repository), ordinary),
      diskBuild: ({ branch }, { ordinary }) => lose(name === 'diskBuild' && branch === 'iso', ordinary),
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(standIns.callsOf(release, 'build')).toHaveLength(1);
    for (const [activity, count] of Object.entries(counts)) {
      expect(standIns.callsOf(release, activity as 'push'), activity).toHaveLength(count);
    }
  });

  test('keeps where files are left, which is not in the spec', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('keep-files', { disks: { qcow2: 'artifact' }, keepFiles: '/srv/disks' });
    let fixed = false;
    standIns.behave(idOf(request), {
      build: (_, { ordinary }) => {
        if (!fixed) throw failed('containerfile', 'no');
        return ordinary();
      },
    });
    const handle = await start(request);
    await until(handle, 'held', isHeld);
    fixed = true;
    await retry(handle, { ...request, keepFiles: null });
    expect((await handle.result()).disks[0]?.file?.path).toBe('/srv/disks/disk.qcow2');
  });

  test('is held when no host has room, and shows it at the stage', async () => {
    const { standIns, start, until } = house();
    const request = requestFor('too-small', { disks: {} });
    standIns.behave(idOf(request), {
      claim: () => {
        throw failed('disk-full', 'host-a has 2 GiB in all, and this needs 4 GiB');
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure).toMatchObject({ kind: 'disk-full', stage: 'build' });
    expect(rowOf(held, 'build', 'image')?.status).toBe('held');
    await handle.cancel();
    await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
  });

  test('is held when the registry loses digests again and again, and pushes them anew after a retry', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('vanishing', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    let fixed = false;
    standIns.behave(release, {
      tag: ({ moves }, { ordinary }) =>
        fixed ? ordinary() : { attempts: 1, moved: [], vanished: moves.map(({ digest }) => digest) },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure).toMatchObject({ kind: 'disk-vanished', stage: 'tag' });
    const pushes = standIns.callsOf(release, 'push').length;
    fixed = true;
    await retry(handle);
    expect((await handle.result()).status).toBe('released');
    expect(standIns.callsOf(release, 'push')).toHaveLength(pushes + 1);
    expect(standIns.callsOf(release, 'tag').at(-1)?.input).toMatchObject({ moves: { length: 2 } });
  });

  test('is held when what should pass by itself does not', async () => {
    const { standIns, start, until, retry } = house();
    const request = requestFor('exhausted', { disks: {}, timing: { retryFor: 2_500 } });
    let fixed = false;
    standIns.behave(idOf(request), {
      push: (_, { ordinary }) => {
        if (!fixed) throw failed('registry', 'registry.example answered 503');
        return ordinary();
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure).toMatchObject({ kind: 'retries-exhausted', stage: 'push' });
    expect(held.failure?.message).toContain('registry.example answered 503');
    fixed = true;
    await retry(handle);
    expect((await handle.result()).status).toBe('released');
    expect(standIns.callsOf(idOf(request), 'build')).toHaveLength(1);
  });
});

/** The image inputs that the stand-in of resolve makes of a request. */
function inputs({ context, buildArgs }: ReturnType<typeof requestFor>): string {
  return digestOf(`inputs ${JSON.stringify([context, buildArgs])}`);
}

describe.concurrent('a signature that somebody else wrote over', () => {
  const rejected = (what: string) => failed('signature-rejected', `${what} has no signature`);

  test('is written again, for the image, a disk, and before the tags move', async () => {
    const { standIns, start } = house();
    const request = requestFor('overwritten', { disks: { qcow2: 'artifact' } });
    const release = idOf(request);
    const lost = new Set<string>();
    const once = (what: string) => {
      if (lost.has(what)) return;
      lost.add(what);
      throw rejected(what);
    };
    standIns.behave(release, {
      verify: ({ repository }, { ordinary }) => {
        once(repository);
        return ordinary();
      },
      tag: (_input, { ordinary }) => {
        once('tag');
        return ordinary();
      },
    });
    const record = await (await start(request)).result();
    expect(record.status).toBe('released');
    expect(lost.size).toBe(3);
    // Each is signed, signed again for its verification, and before the tag.
    expect(rowOf(record, 'sign', 'image')).toMatchObject({ status: 'done', attempts: 3 });
    expect(rowOf(record, 'sign', 'qcow2')).toMatchObject({ status: 'done', attempts: 3 });
    expect(rowOf(record, 'verify', 'image')).toMatchObject({ status: 'done', attempts: 2 });
    expect(rowOf(record, 'tag', 'release')).toMatchObject({ status: 'done', attempts: 2 });
    const signed = standIns.callsOf(release, 'sign').map(({ input }) => (input as SignInput).repository);
    expect(new Set(signed).size).toBe(2);
    expect(signed).toHaveLength(6);
  });

  test('again and again holds the branch', async () => {
    const { standIns, start, until } = house();
    const request = requestFor('fought-over', { disks: {} });
    const release = idOf(request);
    standIns.behave(release, {
      verify: () => {
        throw rejected('the image');
      },
    });
    const handle = await start(request);
    const held = await until(handle, 'held', isHeld);
    expect(held.failure).toMatchObject({ kind: 'signature-rejected', stage: 'verify' });
    expect(standIns.callsOf(release, 'verify')).toHaveLength(4);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
  });
});
