/**
 * Nights on which something is different: the builder, a disk that is gone, a commit, a forged record, a held release,
 * age.
 */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openKey } from '../../activities/trust/keys.ts';
import { readRecord } from '../../activities/trust/record.ts';
import { signDigest } from '../../activities/trust/signatures.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import { runFlightline } from '../support/flightline.ts';
import { containersCreated, leftOvers } from '../support/host-state.ts';
import { endedRuns, pushVariant, requestsOf, schedule, type EndedRun } from '../support/nightly.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf, manifestOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { eventually } from '../support/wait.ts';

const stack = sharedStack();
const { environment, registry } = stack;
/** Once a year: the test begins the runs. */
const CRON = '0 0 1 1 *';

let source: Project;
let project: Project;
let builder: string;

const git = (...args: string[]) =>
  execa('git', ['-C', source.directory, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args]);

async function commit(lines: string[]): Promise<string> {
  await source.write('Containerfile', [`FROM ${registry}/flightline/debian-base:trixie`, ...lines, ''].join('\n'));
  await git('add', '.');
  await git('commit', '--quiet', '--message', 'a change');
  return (await git('rev-parse', 'HEAD')).stdout.trim();
}

beforeAll(async () => {
  source = await makeProject({ registry, name: 'nights-source' });
  await git('init', '--quiet', '--initial-branch', 'main');
  await commit(['RUN date +%s.%N > /usr/share/made']);
  builder = `${registry}/flightline/debian-builder:nightly`;
  await pushVariant(stack, EXAMPLE_IMAGES.builder.local, builder);
  project = await makeProject({
    registry,
    name: 'nights',
    tag: 'n-{{date}}',
    disks: [{ type: 'qcow2' }],
    image: { alsoTag: ['nightly'], context: { git: `file://${source.directory}`, ref: 'main' } },
    spec: {
      rebuild: 'when-changed',
      schedule: { cron: CRON, supersede: true },
      builder: { image: builder, rootfs: 'ext4' },
    },
  });
  await schedule(stack, 'set', project.spec);
});
afterAll(async () => {
  await runFlightline(['schedule', 'delete', project.repository], { environment });
  await project.remove();
  await source.remove();
});

async function night(): Promise<EndedRun> {
  const before = (await endedRuns(stack, project.repository)).length;
  await schedule(stack, 'trigger', project.repository);
  return eventually('the run', async () => (await endedRuns(stack, project.repository))[before], { timeout: 240_000 });
}

/** The last release's record, as the registry has it under the name that moves. */
async function lastRecord(): Promise<ReleaseRecord> {
  const tag = (await endedRuns(stack, project.repository)).at(-1)!.standing!;
  const record = await withUserAccess((access) =>
    readRecord(access, `${project.repository}/release`, tag, stack.publicKey),
  );
  return record!;
}

const statusOf = (record: ReleaseRecord, name: string) => record.stages.find((row) => row.name === name)?.status;

async function expectUnchanged(): Promise<void> {
  const since = Date.now();
  const run = await night();
  expect(run, run.reason).toMatchObject({ outcome: 'unchanged' });
  expect(run.endedAt - run.startedAt).toBeLessThan(5_000);
  const asked = await requestsOf(stack, 'test/nights', since + 1_000, run.endedAt);
  expect(asked.filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);
}

let image: string;

it('the first night releases, the next does nothing', async () => {
  const first = await night();
  expect(first, first.reason).toMatchObject({ outcome: 'released' });
  image = (await digestOf(`${project.repository}:nightly`))!;
  const { inputs } = await lastRecord();
  expect(inputs!.parts!.commit).toBe((await git('rev-parse', 'HEAD')).stdout.trim());
  await expectUnchanged();
});

it('another builder: only disks are made, of the same image', async () => {
  const before = await lastRecord();
  await pushVariant(stack, EXAMPLE_IMAGES.builder.local, builder);
  const shown = await schedule(stack, 'show', project.repository);
  expect(shown).toMatchObject({ now: { change: 'part', reason: expect.stringMatching(/^builder /) } });
  const since = Date.now();
  const run = await night();
  expect(run, run.reason).toMatchObject({ outcome: 'released' });
  expect(run.reason).toMatch(/^builder \S+debian-builder:nightly sha256:[0-9a-f]{12} → sha256:[0-9a-f]{12}$/);
  expect(await digestOf(`${project.repository}:nightly`)).toBe(image);
  expect(await containersCreated(stack, since)).toBe(1);
  const record = await lastRecord();
  expect(statusOf(record, 'build')).toBe('skipped');
  expect(statusOf(record, 'push')).toBe('skipped');
  expect(record.image).toMatchObject({ digest: image, verified: true });
  expect(record.image.builtAt).toBe(before.stages.find(({ name }) => name === 'build')!.startedAt);
  expect(run.reason.startsWith(record.reason!.replace(/…$/, ''))).toBe(true);
  await expectUnchanged();
});

it('a disk that is gone: it is made again', async () => {
  const [disk] = (await lastRecord()).disks;
  const { repository } = project;
  const path = repository.slice(repository.indexOf('/') + 1);
  const answer = await fetch(`http://${registry}/v2/${path}/diskimage-qcow2/manifests/${disk!.digest}`, {
    method: 'DELETE',
  });
  expect(answer.status).toBe(202);
  const run = await night();
  expect(run, run.reason).toMatchObject({ outcome: 'released', reason: `disk qcow2 ${disk!.reference} is gone` });
  expect(await digestOf(`${repository}:nightly`)).toBe(image);
  expect(await digestOf(disk!.reference!)).toBe((await lastRecord()).disks[0]!.digest);
  await expectUnchanged();
});

it('another commit: all of it is made', async () => {
  const before = (await git('rev-parse', 'HEAD')).stdout.slice(0, 12);
  const after = await commit(['RUN date +%s.%N > /usr/share/made', 'RUN echo second > /usr/share/second']);
  const run = await night();
  expect(run, run.reason).toMatchObject({
    outcome: 'released',
    reason: `commit ${before} → ${after.slice(0, 12)}`,
  });
  expect(await digestOf(`${project.repository}:nightly`)).not.toBe(image);
  await expectUnchanged();
});

it('a record that another key signed is worth nothing', async () => {
  const prefix = join(project.directory, 'other');
  const made = await runFlightline(['keygen', '--output-prefix', prefix, '--json'], { environment });
  expect(made.exitCode, made.stderr).toBe(0);
  const records = `${project.repository}/release`;
  const tag = (await lastRecord()).image.reference.split(':').at(-1)!;
  const forged = { ...(await manifestOf(`${records}:${tag}`)), annotations: { forged: 'yes' } };
  const path = records.slice(records.indexOf('/') + 1);
  for (const name of [tag, 'nightly']) {
    if ((await digestOf(`${records}:${name}`)) === null) continue;
    const answer = await fetch(`http://${registry}/v2/${path}/manifests/${name}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
      body: JSON.stringify(forged),
    });
    expect(answer.status).toBe(201);
  }
  const digest = (await digestOf(`${records}:${tag}`))!;
  const key = {
    privateKey: `${prefix}.private`,
    publicKey: `${prefix}.pub`,
    passphraseFile: `${prefix}.passphrase`,
    repositories: [registry],
  };
  const opened = await openKey({ keys: { other: key } }, 'other', [records]);
  await withUserAccess((access) =>
    signDigest(access, opened, { repository: records, digest, tags: [tag, 'nightly'] }, { timeout: 60_000 }),
  );
  const run = await night();
  expect(run, run.reason).toMatchObject({ outcome: 'released' });
  expect(run.reason).toMatch(/^record \S+\/release:\S+ not signed by key release$/);
  expect(await digestOf(`${records}:${tag}`)).not.toBe(digest);
});

it('a held release does not hold up the night after it', async () => {
  await commit(['RUN false']);
  const held = await night();
  expect(held, held.reason).toMatchObject({ outcome: 'held' });
  expect(held.reason).toMatch(/held at build \(containerfile\)/);
  await commit(['RUN date +%s.%N > /usr/share/made']);
  const next = await night();
  expect(next, next.reason).toMatchObject({ outcome: 'released', release: held.release });
});

it('an image that is too old is built without cache', async () => {
  const before = await digestOf(`${project.repository}:nightly`);
  await appendFile(project.spec, 'maxAge: 1s\n');
  expect(await schedule(stack, 'set', project.spec)).toMatchObject({ created: false });
  const run = await night();
  expect(run, run.reason).toMatchObject({ outcome: 'released' });
  expect(run.reason).toMatch(/^the image is \d+[smh] old \(maxAge 1s\)$/);
  // The time that the build wrote is another one: nothing of the former was used.
  expect(await digestOf(`${project.repository}:nightly`)).not.toBe(before);
  expect(await leftOvers(stack)).toEqual([]);
});
