/**
 * Pruning registries that hold hundreds of tags: what the policy says goes, in an order that may be interrupted, and
 * nothing else.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKey } from '../../activities/trust/keys.ts';
import type { PruneDecision, KnownRelease } from '../../activities/prune/surveyed.ts';
import { keysFor } from '../../activities/prune/survey.ts';
import { planPrune, pruneRepository, type PruneGround } from '../../activities/prune/prune-repository.ts';
import { signDigest } from '../../activities/trust/signatures.ts';
import { withRegistryAccess, withUserAccess } from '../../activities/tools/registry/access.ts';
import { verifyAsDevice } from '../../activities/trust/verify.ts';
import type { PruneReport, PruneRequest } from '../../model/release/prune.ts';
import { signatureTag } from '../../model/oci/reference.ts';
import { DEFAULT_TIMING } from '../../model/base/timing.ts';
import { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { runFlightline } from '../support/flightline.ts';
import { makeProject } from '../support/project.ts';
import { startOwnRegistry, type OwnRegistry } from '../support/own-registry.ts';
import { digestOf, tagsOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { withClient } from '../support/stack.ts';
import {
  publishContext,
  publishRelease,
  pushUntagged,
  signerWith,
  speakOf,
  tagAs,
  type Signer,
} from './published-release.ts';

const DAY = 24 * 60 * 60_000;
const RELEASES = 50;
/** Tags that people have made of one of them. */
const BY_HAND = 148;
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const foreignKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const now = Date.now();

let directory: string;
let registry: OwnRegistry;
let repository: string;
/** Of its disk's entry. */
const entryOf = (index: number) => `${tagOf(index)}-amd64`;
const tagOf = (index: number) => `r${String(index).padStart(3, '0')}`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-prune-'));
  await writeFile(join(directory, 'key.pub'), key.publicKey.export({ type: 'spki', format: 'pem' }));
  registry = await startOwnRegistry({ memory: true });
  repository = `${registry.address}/acme/edge`;
});
afterAll(async () => {
  await registry?.stop();
  await rm(directory, { recursive: true, force: true });
});

function configurationFor(address: string) {
  const files = { privateKey: '/none', passphraseFile: '/none', publicKey: join(directory, 'key.pub') };
  return WorkerConfiguration.parse({ keys: { release: { ...files, repositories: [`${address}/acme`] } } });
}

/** Runs with what an activity of a sign worker has. */
async function onGround<Result>(
  name: string,
  body: (ground: PruneGround) => Promise<Result>,
  releases: KnownRelease[] = [],
): Promise<Result> {
  const request: PruneRequest = {
    schemaVersion: 1,
    repository: name,
    recordRepository: `${name}/release`,
    contextRepository: `${name}/context`,
    keepLast: 7,
    keepWithin: 30 * DAY,
    dryRun: false,
    timing: DEFAULT_TIMING,
  };
  const configuration = configurationFor(name.split('/')[0]!);
  const keys = await keysFor(configuration, request);
  return withRegistryAccess(configuration, [name], (access) =>
    body({ access, request, keys, releases: async () => releases, now: () => now }),
  );
}

/** As the workflow does: a turn ends after a while, and on a busy machine before all is removed. */
async function pruneInTurns(ground: PruneGround): Promise<void> {
  while ((await pruneRepository(ground)) > 0);
}

const removedIn = (decisions: readonly PruneDecision[], kind: PruneDecision['kind']) =>
  decisions.filter((one) => one.verdict === 'remove' && one.kind === kind).map(({ tag }) => tag);
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

/** Paths and names of what was deleted, in the order of the registry's log. */
async function deletions(): Promise<string[]> {
  const lines = (await readFile(registry.log, 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const match = /"DELETE \/v2\/(\S+)\/manifests\/(\S+) HTTP\/[\d.]+" 202/.exec(line);
    return match ? [`${match[1]}@${match[2]}`] : [];
  });
}

describe('a registry with 200 tags', () => {
  const context = 'context of all';
  /** r049 is of today, r000 the oldest: one a day. */
  const publish = (index: number, sign: Signer = signerWith(key.privateKey)) =>
    publishRelease({
      repository,
      tag: tagOf(index),
      at: now - (RELEASES - 1 - index) * DAY - 1000,
      sign,
      disk: index % 4 === 0,
      alsoTag: index === RELEASES - 1 ? ['nightly'] : index === 5 ? ['stable'] : [],
      context: index % 10 === 0 ? `context ${index}` : context,
    });
  const open: KnownRelease[] = [{ tag: tagOf(10), closedAt: null, digests: [], context: null }];
  /** Those of 30 days, what `stable` names, the open one, a forged and a moved one. */
  const staying = new Set([5, 10, 12, 15, ...numbers(20, RELEASES)]);
  const going = numbers(0, RELEASES).filter((index) => !staying.has(index));

  beforeAll(async () => {
    const others = signerWith(foreignKey.privateKey);
    // What all have in common is sent once: the registry mixes up two uploads of the same.
    await publish(0);
    await publish(1);
    for (let from = 2; from < RELEASES; from += 12) {
      const indices = numbers(from, Math.min(from + 12, RELEASES));
      await Promise.all(indices.map((index) => publish(index, index === 12 ? others : undefined)));
    }
    // Somebody else's tags, and one that somebody moved.
    const foreign = `${registry.address}/acme/other`;
    await publishRelease({ repository: foreign, tag: 'x', at: now, sign: others });
    for (const index of numbers(0, BY_HAND)) await tagAs(repository, tagOf(12), `by-hand-${index}`);
    await tagAs(repository, tagOf(RELEASES - 1), tagOf(15));
    await publishContext(repository, 'sent by somebody just now');
  });

  it('keeps exactly what the policy says, as its dry run said', async () => {
    const images = await tagsOf(repository);
    expect(images.filter((tag) => !tag.endsWith('.sig'))).toHaveLength(200);
    const planned = await onGround(repository, planPrune, open);
    expect(await tagsOf(repository)).toEqual(images);
    expect(removedIn(planned, 'release')).toEqual(going.map(tagOf));
    const reasons = new Map(planned.map(({ tag, reason }) => [tag, reason]));
    expect([5, 10, 12, 15, 20, 45].map((index) => reasons.get(tagOf(index)))).toEqual([
      'in-use',
      'open',
      'unverified',
      'moved',
      'young',
      'last',
    ]);
    expect(['nightly', 'stable', 'by-hand-3'].map((tag) => reasons.get(tag))).toEqual(['shared', 'shared', 'foreign']);

    // Interrupted after the third release, at whatever it is then: the next prune finishes it.
    const done: PruneDecision[] = [];
    const stopping = onGround(
      repository,
      (ground) =>
        pruneInTurns({
          ...ground,
          removed: (decision) => {
            done.push(decision);
            if (done.length === 12) throw new Error('the worker was killed');
          },
        }),
      open,
    );
    await expect(stopping).rejects.toThrow('the worker was killed');
    await onGround(
      repository,
      (ground) => pruneInTurns({ ...ground, removed: (decision) => void done.push(decision) }),
      open,
    );
    expect(removedIn(done, 'release')).toEqual(going.map(tagOf));
    expect(removedIn(done, 'context').toSorted()).toEqual(removedIn(planned, 'context').toSorted());

    const kept = [...staying].map(tagOf);
    const plain = async (name: string) => (await tagsOf(name)).filter((tag) => !tag.endsWith('.sig'));
    const byHand = numbers(0, BY_HAND).map((index) => `by-hand-${index}`);
    expect(await plain(repository)).toEqual([...kept, ...byHand, 'nightly', 'stable'].toSorted());
    expect(await plain(`${repository}/release`)).toEqual([...kept, 'nightly', 'stable'].toSorted());
    const withDisk = [...staying].filter((index) => index % 4 === 0).flatMap((index) => [tagOf(index), entryOf(index)]);
    expect(await plain(`${repository}/diskimage-vmdk`)).toEqual(withDisk.toSorted());
    expect(await tagsOf(`${repository}/context`)).toHaveLength(6);
    // Every signature that is left has what it signs.
    for (const name of [repository, `${repository}/release`, `${repository}/diskimage-vmdk`]) {
      const signatures = (await tagsOf(name)).filter((tag) => tag.endsWith('.sig'));
      const signed = signatures.map((tag) => digestOf(`${name}@${tag.replace('-', ':').replace('.sig', '')}`));
      expect(await Promise.all(signed)).not.toContain(null);
    }
    // And what stays is what a device takes.
    for (const name of [repository, `${repository}/diskimage-vmdk`, `${repository}/release`]) {
      const reference = `${name}:${tagOf(48)}`;
      const found = await withUserAccess((access) =>
        verifyAsDevice({ reference, publicKey: join(directory, 'key.pub'), access }),
      );
      expect(found.signedNames).toEqual([reference]);
    }
  });

  it('deletes an image first, its record last, and signatures after what they sign', async () => {
    const path = repository.slice(repository.indexOf('/') + 1);
    const record = await publish(1);
    await publish(0);
    const before = (await deletions()).length;
    const sigOf = (name: string, digest: string) => digestOf(`${name}:${signatureTag(digest)}`);
    const disks = `${repository}/diskimage-vmdk`;
    const image = (await digestOf(`${repository}:${tagOf(0)}`))!;
    const disk = (await digestOf(`${disks}:${tagOf(0)}`))!;
    const recordDigest = (await digestOf(`${repository}/release:${tagOf(0)}`))!;
    const signatures = [await sigOf(repository, image), await sigOf(`${repository}/release`, recordDigest)];
    const said = [...(await speakOf(repository, image)), ...(await speakOf(`${repository}/release`, recordDigest))];
    await onGround(repository, pruneRepository, open);
    for (const digest of said) {
      expect(await digestOf(`${repository}@${digest}`)).toBeNull();
      expect(await digestOf(`${repository}/release@${digest}`)).toBeNull();
    }
    expect(await tagsOf(repository)).not.toContain(image.replace(':', '-'));
    const order = (await deletions()).slice(before);
    const at = (name: string) => order.indexOf(name);
    const steps = [
      at(`${path}@${image}`),
      at(`${path}/diskimage-vmdk@${disk}`),
      at(`${path}@${signatures[0]}`),
      at(`${path}/release@${recordDigest}`),
      at(`${path}/release@${signatures[1]}`),
    ];
    expect(steps).toEqual(steps.toSorted((left, right) => left - right));
    expect(steps[0]).toBeGreaterThanOrEqual(0);
    expect(await digestOf(record.image.reference)).toBeNull();
  });

  it('removes what a release left that was cancelled long ago, and what is still open stays', async () => {
    const text = 'of a cancelled release';
    const digest = await pushUntagged(repository, text);
    await signerWith(key.privateKey)(repository, digest, ['v9']);
    const ended = { tag: 'v9', closedAt: now - 2 * DAY, digests: [], context: null };
    const unfinished = [{ repository, digest }];
    const running = { ...ended, closedAt: null, digests: [digest] };
    await onGround(repository, pruneRepository, [...open, { ...ended, unfinished }, running]);
    expect(await digestOf(`${repository}@${digest}`)).toBe(digest);
    const removed: string[] = [];
    await onGround(
      repository,
      (ground) => pruneRepository({ ...ground, removed: ({ tag }) => void removed.push(tag) }),
      [...open, { ...ended, unfinished }],
    );
    expect(removed).toEqual([`${repository}@${digest}`]);
    expect(await digestOf(`${repository}@${digest}`)).toBeNull();
    expect(await digestOf(`${repository}:${signatureTag(digest)}`)).toBeNull();
    // Nothing is left to do.
    expect(removedIn(await onGround(repository, planPrune, [...open, { ...ended, unfinished }]), 'unfinished')).toEqual(
      [],
    );
  });

  it('looks again before each: what got another name meanwhile stays', async () => {
    await Promise.all([0, 1, 2].map((index) => publish(index)));
    const removed: string[] = [];
    await onGround(repository, (ground) =>
      pruneRepository({
        ...ground,
        releases: async () => {
          // Once the first is gone, somebody promotes the last.
          if (removed.length === 1) await tagAs(repository, tagOf(2), 'promoted');
          return open;
        },
        removed: ({ kind, tag }) => void (kind === 'release' && removed.push(tag)),
      }),
    );
    expect(removed).toEqual([tagOf(0), tagOf(1)]);
    expect(await digestOf(`${repository}:${tagOf(2)}`)).toBe(await digestOf(`${repository}:promoted`));
    expect(await digestOf(`${repository}/release:${tagOf(2)}`)).not.toBeNull();
  });
});

it('says of a registry that deletes nothing that it deletes nothing, and keeps all', async () => {
  const fixed = await startOwnRegistry({ deletes: false, memory: true });
  try {
    const name = `${fixed.address}/acme/edge`;
    const sign = signerWith(key.privateKey);
    for (const index of numbers(0, 9)) {
      await publishRelease({ repository: name, tag: tagOf(index), at: now - (100 - index) * DAY, sign });
    }
    const before = await tagsOf(name);
    for (const attempt of [planPrune, pruneRepository] as ((ground: PruneGround) => Promise<unknown>)[]) {
      const failure = await onGround(name, attempt).then(
        () => expect.fail('it should have failed'),
        (error: { failure: object }) => error.failure,
      );
      expect(failure).toMatchObject({
        kind: 'deletion-disabled',
        message: expect.stringContaining(`does not delete from ${name}: 4 releases`),
        remedy: { action: expect.stringContaining('REGISTRY_STORAGE_DELETE_ENABLED=true') },
      });
    }
    expect(await tagsOf(name)).toEqual(before);
  } finally {
    await fixed.stop();
  }
});

it('flightline prune does it on a stack, and regularly', async () => {
  const stack = sharedStack();
  const name = `${stack.registry}/test/pruned`;
  const configuration = WorkerConfiguration.parse({
    keys: {
      release: {
        privateKey: stack.privateKey,
        publicKey: stack.publicKey,
        passphraseFile: stack.passphrase,
        repositories: [stack.registry],
      },
    },
  });
  const opened = await openKey(configuration, 'release', [name]);
  const sign: Signer = (repository_, digest, tags) =>
    withRegistryAccess(configuration, [name], async (access) => {
      await signDigest(access, opened, { repository: repository_, digest, tags }, { timeout: 60_000 });
    });
  for (const index of [1, 2])
    await publishRelease({ repository: name, tag: `v${index}`, at: now - (9 - index) * DAY, sign });
  const run = async (...args: string[]) => {
    const result = await runFlightline(['prune', name, ...args, '--json'], { environment: stack.environment });
    expect(result.exitCode, result.stderr).toBe(0);
    return JSON.parse(result.stdout) as PruneReport;
  };
  // The context of a schedule was sent once, and its last release may be long ago.
  const project = await makeProject({
    registry: stack.registry,
    name: 'pruned',
    spec: { schedule: { cron: '0 3 * * *' } },
  });
  expect(project.repository).toBe(name);
  const set = await runFlightline(['schedule', 'set', project.spec, '--json'], { environment: stack.environment });
  expect(set.exitCode, set.stderr).toBe(0);
  const policy = ['--keep-last', '1', '--keep-within', '1d'];
  const dry = await run(...policy, '--dry-run');
  expect(await digestOf(`${name}:v1`)).not.toBeNull();
  const real = await run(...policy);
  expect(dry).toMatchObject({ dryRun: true, removed: real.removed, kept: real.kept });
  expect(real.removed.map(({ kind, reason, tags }) => [kind, reason, tags.length])).toEqual([
    ['context', 'unused', 1],
    ['release', 'old', 1],
  ]);
  expect(real.kept).toContainEqual({ kind: 'release', verdict: 'keep', reason: 'last', tags: ['v2'] });
  const named = real.kept.find(({ kind, reason }) => kind === 'context' && reason === 'named');
  expect(named?.tags).toHaveLength(2);
  await runFlightline(['schedule', 'delete', name, '--json'], { environment: stack.environment });
  await project.remove();
  expect((await tagsOf(name)).filter((tag) => !tag.endsWith('.sig'))).toEqual(['v2']);

  const scheduled = (await run(...policy, '--cron', '0 4 * * 0')) as unknown as { schedule: string; next: string };
  expect(scheduled.schedule).toBe(`prune/${name}`);
  expect(new Date(scheduled.next).getUTCDay()).toBe(0);
  await run('--keep-last', '3', '--cron', '0 5 * * 1', '--time-zone', 'Europe/Berlin');
  await withClient(stack, async (client) => {
    const { action, policies } = await client.schedule.getHandle(`prune/${name}`).describe();
    expect(action).toMatchObject({ workflowType: 'prune', args: [{ repository: name, keepLast: 3, dryRun: false }] });
    expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 3_600_000 });
  });
  await run('--unschedule');
  const gone = await runFlightline(['prune', name, '--unschedule'], { environment: stack.environment });
  expect(gone.exitCode).toBe(2);
  expect(gone.stderr).toContain(`there is no schedule prune/${name}`);
});
