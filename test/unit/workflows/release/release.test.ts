import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { failureOf, jsonBytes } from '../../../../model/failure/failure.ts';
import type { FailureKind } from '../../../../model/failure/failures.ts';
import type { ReleaseRecord } from '../../../../model/release/record.ts';
import type { ReleaseRequest } from '../../../../model/spec/request.ts';
import { attemptsWithin, timingWith } from '../../../../model/base/timing.ts';
import { newState } from '../../../../workflows/release/state.ts';
import { publishedRecord, releaseDetails } from '../../../../workflows/release/record.ts';
import { failureFrom, fittingRecord, isSilence, toTemporalFailure } from '../../../../workflows/failure.ts';
import {
  builderRunSpace,
  buildInput,
  diskBuildInput,
  refusalOf,
  tagMoves,
} from '../../../../workflows/release/plan.ts';
import { isOfBranch, releaseStages, requestedRuns, StageTable } from '../../../../model/release/stage-table.ts';
import { digestOf, requestFor } from '../../../workflows/facts.ts';

const activity = (cause: Error, retryState: 'TIMEOUT' | 'NON_RETRYABLE_FAILURE' = 'NON_RETRYABLE_FAILURE') =>
  new ActivityFailure('Activity task failed', 'sign', '1', retryState, 'worker', cause);
const reported = (kind: FailureKind, message: string) =>
  ApplicationFailure.create({ type: kind, message, details: [failureOf(kind, message, { stage: 'sign' })] });
const timeout = (type: 'HEARTBEAT' | 'SCHEDULE_TO_START' | 'SCHEDULE_TO_CLOSE' | 'START_TO_CLOSE') =>
  activity(new TimeoutFailure('timed out', undefined, type));

const emptyRecord: ReleaseRecord = {
  schemaVersion: 1,
  release: 'release/r:v1',
  runId: '1',
  status: 'held',
  image: { reference: 'r:v1', digest: null, verified: false },
  disks: [],
  inputs: null,
  stages: [],
  failure: null,
};

describe('a Temporal failure', () => {
  test.each([
    ['as it was reported', activity(reported('key-missing', 'no key')), 'key-missing', 'no key'],
    ['after its retries', activity(reported('registry', '503'), 'TIMEOUT'), 'retries-exhausted', '503'],
    [
      'of a known type without details',
      activity(ApplicationFailure.nonRetryable('full', 'disk-full')),
      'disk-full',
      'full',
    ],
    [
      'of a type that nobody knows',
      activity(ApplicationFailure.nonRetryable('odd', 'TypeError')),
      'retries-exhausted',
      'odd',
    ],
    ['when nobody took it', timeout('SCHEDULE_TO_CLOSE'), 'retries-exhausted', '--role sign'],
    ['when it took too long', timeout('START_TO_CLOSE'), 'retries-exhausted', 'did not end in time'],
  ])('%s becomes a failure of the stage', (_, error, kind, message) => {
    const failure = failureFrom(error, 'sign');
    expect(failure).toMatchObject({ kind, stage: 'sign' });
    expect(failure.message).toContain(message);
  });

  test('of a child that was terminated names the child', () => {
    const execution = { workflowId: 'release/r:v1/disks/iso', runId: '1' };
    const error = new ChildWorkflowFailure(
      'default',
      execution,
      'builderRun',
      'NON_RETRYABLE_FAILURE',
      new TerminatedFailure('by hand'),
    );
    expect(failureFrom(error, 'disk-build')).toMatchObject({
      kind: 'unexpected',
      stage: 'disk-build',
      message: 'the workflow release/r:v1/disks/iso was terminated',
    });
  });

  test('is a silence only when nobody reported it', () => {
    expect(isSilence(timeout('HEARTBEAT'))).toBe(true);
    expect(isSilence(timeout('SCHEDULE_TO_START'))).toBe(true);
    expect(isSilence(timeout('SCHEDULE_TO_CLOSE'))).toBe(false);
    expect(isSilence(activity(reported('builder', 'failed')))).toBe(false);
  });

  test('that a workflow ends with is short, and keeps the end of the message', () => {
    const failure = failureOf('builder', `${'x'.repeat(2_000)} the cause`);
    expect(toTemporalFailure(failure, { failure }).message).toMatch(/^…x+ the cause$/);
    expect(toTemporalFailure(failure, { failure }).message).toHaveLength(1_000);
  });
});

describe('the stage table', () => {
  const row = (table: StageTable) => table.row('build', 'image');

  test('keeps attempts over holds and hosts, and the time of the last try', () => {
    const table = new StageTable(releaseStages(requestFor('a')));
    table.update('build', 'image', { status: 'running', at: 1_000, host: 'host-a' });
    table.update('build', 'image', { status: 'failed', at: 3_000, attempts: 2 });
    expect(row(table)).toMatchObject({ attempts: 2, durationMs: 2_000 });
    table.update('build', 'image', { status: 'held', at: 3_000 });
    table.update('build', 'image', { status: 'waiting', at: 900_000 });
    expect(row(table)).toMatchObject({ status: 'waiting', startedAt: null, durationMs: null });
    table.update('build', 'image', { status: 'running', at: 1_000_000, host: 'host-b' });
    table.update('build', 'image', { status: 'done', at: 1_000_500, attempts: 1 });
    expect(row(table)).toMatchObject({
      host: 'host-b',
      attempts: 3,
      startedAt: new Date(1_000_000).toISOString(),
      durationMs: 500,
    });
  });

  test('a held stage that fails for good has not run meanwhile', () => {
    const table = new StageTable(releaseStages(requestFor('a')));
    table.update('build', 'image', { status: 'running', at: 0 });
    table.update('build', 'image', { status: 'held', at: 100 });
    table.update('build', 'image', { status: 'failed', at: 1_000_000 });
    expect(row(table).durationMs).toBe(100);
  });

  test('takes a builder run over, and other rows when the disks change', () => {
    const request = requestFor('a');
    const table = new StageTable(releaseStages(request));
    const before = table.row('publish', 'iso');
    table.merge([{ ...before, status: 'failed', attempts: 1 }]);
    table.merge([{ ...before, status: 'done', attempts: 1 }]);
    expect(table.row('publish', 'iso')).toMatchObject({ status: 'done', attempts: 2 });
    table.reshape(releaseStages({ disks: request.disks.filter(({ type }) => type === 'iso') }));
    expect(table.row('publish', 'iso').attempts).toBe(2);
    expect(table.rows.some(({ subject }) => subject === 'qcow2')).toBe(false);
  });

  test('knows whose rows are whose', () => {
    const publish = { name: 'publish', subject: 'qcow2' } as const;
    expect(isOfBranch(publish, 'qcow2+vmdk')).toBe(true);
    expect(isOfBranch(publish, 'iso')).toBe(false);
    expect(isOfBranch({ name: 'disk-build', subject: 'qcow2+vmdk' }, 'qcow2+vmdk')).toBe(true);
    expect(isOfBranch({ name: 'sign', subject: 'image' }, 'image')).toBe(true);
    expect(isOfBranch({ name: 'tag', subject: 'release' }, 'image')).toBe(false);
  });
});

describe('a plan', () => {
  const request = requestFor('a', { alsoTag: ['latest'] });

  test.each([
    ['repository', 'registry.example/acme/b'],
    ['tag', 'v2'],
    ['key', 'other'],
    ['architecture', 'arm64'],
  ])('cannot change its %s', (name, value) => {
    expect(refusalOf(request, { ...request, [name]: value })?.message).toContain(name);
  });

  test('can change everything else', () => {
    expect(refusalOf(request, { ...request, buildArgs: { A: '1' }, disks: [] })).toBeUndefined();
  });

  test('cannot leave a tag behind that was moved', () => {
    const moved = ['registry.example/acme/a/diskimage-iso:v1', 'registry.example/acme/a:latest'];
    expect(refusalOf(request, { ...request, buildArgs: { A: '1' } }, moved)).toBeUndefined();
    expect(refusalOf(request, { ...request, disks: [] }, moved)?.message).toContain('diskimage-iso:v1 behind');
    expect(refusalOf(request, { ...request, alsoTag: [] }, moved)?.message).toContain('a:latest behind');
  });

  test('moves the tags of published disks first', () => {
    const resolved = { existingTag: null } as Parameters<typeof tagMoves>[0]['resolved'];
    const disks = [
      { type: 'iso', digest: digestOf('iso') },
      { type: 'qcow2', digest: null },
    ];
    const moves = tagMoves({ request, resolved }, digestOf('image'), disks);
    expect(moves.map(({ repository, tag, expected }) => [repository, tag, expected])).toEqual([
      ['registry.example/acme/a/diskimage-iso', 'v1', { leftBy: 'registry.example/acme/a' }],
      ['registry.example/acme/a', 'v1', null],
      ['registry.example/acme/a', 'latest', 'any'],
    ]);
  });
});

test('tries fill the time that failures are retried for', () => {
  // 2 + 4 + 8 + 16 + 32 + 64 s, then 2 min each: 29 more fill the hour.
  expect(attemptsWithin(timingWith())).toBe(36);
});

test('a record of many stages fits in the details of a failure: its message makes room', () => {
  const log = { host: 'build-host-1.example', path: '/var/lib/flightline/logs/0123456789abcdef/disk-build.log' };
  const table = new StageTable(
    Array.from({ length: 30 }, (_, index) => ({ name: 'publish', subject: `disk${index}` })),
  );
  table.updateAll(() => true, { status: 'running', at: 0, host: log.host, log });
  const failure = failureOf('containerfile', `${'x'.repeat(3_000)}the cause`, { stage: 'build', log });
  const record = { ...emptyRecord, stages: table.rows, failure };
  expect(jsonBytes({ record })).toBeGreaterThan(10_000);
  const fitting = fittingRecord(record);
  expect(jsonBytes({ record: fitting })).toBeLessThanOrEqual(9_500);
  expect(fitting.failure?.message).toMatch(/the cause$/);
  expect(fittingRecord(emptyRecord)).toBe(emptyRecord);
});

test('more disk types need more room', () => {
  expect(builderRunSpace(1_000, ['iso'])).toBeLessThan(builderRunSpace(1_000, ['qcow2', 'vmdk']));
});

test('details keep a message with back-quotes in its block, and name the release in the remedy', () => {
  const request = requestFor('a');
  const failure = failureOf('containerfile', 'RUN ```\nfalse', { stage: 'build', log: { host: 'host-a', path: '/l' } });
  const state = newState({ release: 'release/r:v1', runId: '1' }, request);
  state.holds.set('image', failure);
  state.children.set('iso', 'release/r:v1/disks/iso');
  state.table.note('build', 'image', 'host-a does not answer');
  state.table.note('sign', 'image', 'nobody signs');
  state.table.note('sign', 'image', null);
  const text = releaseDetails(state);
  expect(text).toContain('- build image: host-a does not answer\n\n|');
  expect(text).not.toContain('nobody signs');
  expect(text).toContain('### Held: image (build)\n\n````\nRUN ```\nfalse\n````');
  expect(text).toContain('`flightline retry release/r:v1 --spec flightline.yaml`');
  expect(text).toContain('Log: `/l` on host-a');
  expect(text).toContain('| build | image | waiting |');
  expect(text).toContain('builder run iso: workflow `release/r:v1/disks/iso`');
});

test('nothing is published as released that was not made and verified', () => {
  const state = newState({ release: 'release/r:v1', runId: '1' }, requestFor('a', { disks: { iso: 'artifact' } }));
  state.image.push = { digest: digestOf('image'), host: null };
  expect(() => publishedRecord(state)).toThrow('the image, iso cannot be recorded');
  state.image.verified = true;
  expect(() => publishedRecord(state)).toThrow(/^iso cannot/);
});

describe('what a release asks of its hosts', () => {
  const planOf = (bases: string[], more: Partial<ReleaseRequest> = {}) => ({
    request: { ...requestFor('edge'), ...more },
    resolved: {
      attempts: 1,
      unchanged: null,
      context: { repository: 'r.example/context', digest: digestOf('context') },
      imageInputs: digestOf('inputs'),
      bases: bases.map((reference) => ({ reference, digest: digestOf(reference) })),
      builder: { reference: 'r.example/builder:1', digest: digestOf('builder') },
      builderConfig: null,
      existingTag: null,
    },
  });
  const identity = { release: 'release/r.example/edge:v1', runId: '1' };
  const RHEL = 'registry.redhat.io/rhel9/rhel-bootc:9.5';

  test.each([
    [[RHEL], 'iso', true],
    [['quay.io/a/b:1', RHEL], 'iso', true],
    [[RHEL], 'qcow2+vmdk', undefined],
    [['quay.io/a/b:1'], 'iso', undefined],
  ])('a builder run on %j for %s is entitled: %s', (bases, subject, entitled) => {
    const plan = planOf(bases);
    const run = requestedRuns(plan.request).find((one) => one.subject === subject)!;
    const digest = digestOf('image');
    expect(diskBuildInput(identity, plan, run, { digest }).entitled).toBe(entitled);
    // What podman has used counts, not what was foreseen.
    const used = planOf([]);
    const built = { digest, bases: plan.resolved.bases };
    expect(diskBuildInput(identity, used, run, built).entitled).toBe(entitled);
    expect(diskBuildInput(identity, plan, run, { digest, bases: [] }).entitled).toBeUndefined();
  });

  test('secrets are asked for by name, and nothing is where none are', () => {
    const asked = { pullSecret: 'pull', secrets: [{ id: 'a', from: 'b' }], enrollment: { binding: 'late' } } as const;
    expect(buildInput(identity, planOf([], { ...asked, secrets: [...asked.secrets] }), null)).toMatchObject(asked);
    expect(buildInput(identity, planOf([]), null)).toMatchObject({ secrets: undefined, pullSecret: undefined });
  });
});
