/**
 * The `nightly` workflow: what it starts, what it ends with, and that what is held does not hold up the nights after
 * it.
 */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { expect, test } from 'vitest';
import {
  NIGHTLY_WORKFLOW,
  type NightlyInput,
  type NightlyResult,
  type NightlyTemplate,
} from '../../model/release/nightly.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { requestFor, digestOf, type RequestChanges } from './facts.ts';
import type { ReleaseHandle } from './house.ts';
import { useHouse } from './setup.ts';
import { eventually } from '../support/wait.ts';
import { failed, untilCancelled, type Behaviour } from './stand-ins.ts';

const house = useHouse('nightly');

const AT = new Date('2026-11-23T02:00:00Z');
const REUSED = digestOf('the image of the last release');

function templateFor(name: string, more: RequestChanges = {}): NightlyTemplate {
  const request = requestFor(name, { disks: {}, tagPolicy: 'move', rebuild: { maxAge: null, last: null }, ...more });
  return { ...request, tag: 'n-{{date}}', alsoTag: ['nightly'], updateFrom: 'nightly' };
}

type NightlyHandle = WorkflowHandle<(input: NightlyInput) => Promise<NightlyResult>>;

/** Starts a run as a schedule does; `behaviour` is of its own activities. */
async function start(
  template: NightlyTemplate,
  more: Partial<NightlyInput> = {},
  behaviour: Behaviour = {},
): Promise<NightlyHandle> {
  const input: NightlyInput = {
    schemaVersion: 1,
    template,
    cron: '0 2 * * *',
    timeZone: 'UTC',
    supersede: false,
    ...more,
  };
  const workflowId = `nightly/${template.repository}-${randomUUID()}`;
  house().standIns.behave(workflowId, behaviour);
  return house().client.workflow.start<(input: NightlyInput) => Promise<NightlyResult>>(NIGHTLY_WORKFLOW, {
    workflowId,
    taskQueue: CONTROL_QUEUE,
    args: [input],
    typedSearchAttributes: [{ key: defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME'), value: AT }],
  });
}

/** Says how the activities of the night's release behave. */
function behave(template: NightlyTemplate, behaviour: Behaviour): string {
  const name = `${template.repository}:n-20261123`;
  house().standIns.behave(`release/${name}`, behaviour);
  return name;
}

function releaseOf(name: string): ReleaseHandle {
  return house().client.workflow.getHandle<(request: ReleaseRequest) => Promise<ReleaseRecord>>(`release/${name}`);
}

test('starts the release under its own id and the scheduled day, and says why', async () => {
  const git = { url: 'https://example.org/os.git', ref: 'main', subdirectory: '.' };
  const template = templateFor('nightly-released', {
    context: { kind: 'git', ...git, containerfile: 'Containerfile', builderConfig: null },
  });
  const handle = await start({ ...template, tag: 'n-{{date}}-{{commit}}' });
  const name = `${template.repository}:n-20261123-c0ffeec0ffee`;
  const reason = 'base b sha256:aaa → sha256:bbb';
  expect(await handle.result()).toEqual({
    outcome: 'released',
    release: name,
    reason,
    standing: 'n-20261123-c0ffeec0ffee',
  });
  const record = await releaseOf(name).result();
  expect(record).toMatchObject({ status: 'released', release: `release/${name}` });
  const [tag] = house().standIns.callsOf(`release/${name}`, 'tag');
  expect(tag!.input).toMatchObject({ moves: [{ tag: 'n-20261123-c0ffeec0ffee' }] });
  const [shared] = house().standIns.callsOf(`release/${name}`, 'moveSharedTag');
  expect(shared!.input).toMatchObject({ moves: [{ tag: 'nightly' }] });
  const [resolve] = house().standIns.callsOf(`release/${name}`, 'resolve');
  expect(resolve!.input).toMatchObject({
    request: { commit: 'c0ffeec0ffee', context: { ref: 'c0ffee'.repeat(7).slice(0, 40) }, rebuild: { last: null } },
  });
});

test('ends as unchanged, and starts nothing, when nothing has changed', async () => {
  const template = templateFor('nightly-unchanged');
  const answer = { attempts: 1, commit: null, change: 'none', reason: 'nothing has changed', standing: 'n-1' } as const;
  const handle = await start(template, {}, { compare: () => answer });
  expect(await handle.result()).toEqual({
    outcome: 'unchanged',
    release: `${template.repository}:n-1`,
    reason: 'nothing has changed',
    standing: 'n-1',
  });
  expect(house().standIns.callsOf(`release/${template.repository}:n-20261123`)).toEqual([]);
});

test('takes over the image of the last release when only disks are to be made', async () => {
  const template = templateFor('nightly-disks', { disks: { qcow2: 'artifact' } });
  const builtAt = '2026-11-20T02:03:00.000Z';
  const reason = 'builder b sha256:aaa → sha256:ccc';
  const name = behave(template, {
    resolve: (_, { ordinary }) => ({ ...ordinary(), reuse: { digest: REUSED, builtAt, disks: [] }, reason }),
  });
  const compare: Behaviour['compare'] = (_, { ordinary }) => ({ ...ordinary(), change: 'part', reason });
  const handle = await start(template, {}, { compare });
  expect(await handle.result()).toMatchObject({ outcome: 'released', release: name, reason });
  const record = await releaseOf(name).result();
  expect(record.image).toMatchObject({ digest: REUSED, builtAt, verified: true });
  expect(record.reason).toBe(reason);
  const statuses = Object.fromEntries(record.stages.map((row) => [`${row.name} ${row.subject}`, row.status]));
  expect(statuses).toMatchObject({
    'build image': 'skipped',
    'push image': 'skipped',
    'sign image': 'done',
    'verify image': 'done',
    'disk-build qcow2': 'done',
    'tag release': 'done',
  });
  const called = house()
    .standIns.callsOf(`release/${name}`)
    .map(({ activity }) => activity);
  expect(called).not.toContain('build');
  expect(called).not.toContain('push');
  expect(house().standIns.callsOf(`release/${name}`, 'sign')[0]!.input).toMatchObject({
    digest: REUSED,
    tags: ['n-20261123', 'nightly'],
  });
});

test('builds after all when the registry has lost the image that was taken over', async () => {
  const template = templateFor('nightly-lost');
  const name = behave(template, {
    resolve: (_, { ordinary }) => ({ ...ordinary(), reuse: { digest: REUSED, builtAt: null, disks: [] } }),
    verify: ({ digest }, { ordinary }) => {
      if (digest === REUSED) throw failed('disk-vanished', 'it is gone');
      return ordinary();
    },
  });
  const handle = await start(template);
  expect(await handle.result()).toMatchObject({ outcome: 'released', release: name });
  const { image } = await releaseOf(name).result();
  expect(image.digest).not.toBe(REUSED);
  expect(image.builtAt).toBeUndefined();
});

test('ends when its release is held, and the release goes on without it', async () => {
  const template = templateFor('nightly-held');
  let broken = true;
  const name = behave(template, {
    build: (_, { ordinary }) => {
      if (broken) throw failed('containerfile', 'RUN ended with 1');
      return ordinary();
    },
  });
  const handle = await start(template);
  const result = await handle.result();
  expect(result).toMatchObject({ outcome: 'held', release: name, standing: null });
  expect(result.reason).toMatch(/sha256:bbb; held at build \(containerfile\): RUN ended with 1/);
  const release = releaseOf(name);
  expect((await release.describe()).status.name).toBe('RUNNING');
  // A second run the same day finds it in the way.
  expect(await (await start(template)).result()).toMatchObject({ outcome: 'already-running', release: name });
  broken = false;
  await house().retry(release);
  expect((await release.result()).status).toBe('released');
});

test('ends a held release first when the spec says so', async () => {
  const template = templateFor('nightly-superseded', { timing: { retryMaximum: 200 } });
  let broken = true;
  const name = behave(template, {
    build: (_, { ordinary }) => {
      if (broken) throw failed('containerfile', 'RUN ended with 1');
      return ordinary();
    },
  });
  expect(await (await start(template)).result()).toMatchObject({ outcome: 'held' });
  const held = await releaseOf(name).describe();
  broken = false;
  const again: Behaviour = {
    supersede: async ({ release }, { ordinary }) => {
      expect(release).toBe(`release/${name}`);
      await house().client.workflow.getHandle(release).cancel();
      return { ...ordinary(), cancelled: true };
    },
  };
  const handle = await start(template, { supersede: true }, again);
  expect(await handle.result()).toMatchObject({ outcome: 'released', release: name });
  const before = await house().client.workflow.getHandle(`release/${name}`, held.runId).describe();
  expect(before.status.name).toBe('CANCELLED');
});

test('ends as failed, with the reason, when its release fails', async () => {
  const template = templateFor('nightly-failed');
  const name = behave(template, {
    resolve: () => {
      throw failed('image-not-found', 'no such base');
    },
  });
  const result = await (await start(template)).result();
  expect(result).toMatchObject({ outcome: 'failed', release: name, reason: 'image-not-found: no such base' });
});

test('is cancelled with its release', async () => {
  const template = templateFor('nightly-cancelled');
  const name = behave(template, { build: untilCancelled });
  const handle = await start(template);
  await eventually('the build runs', async () => house().standIns.callsOf(`release/${name}`, 'build')[0], {
    interval: 50,
  });
  await handle.cancel();
  await expect(handle.result()).rejects.toThrow();
  expect((await releaseOf(name).describe()).status.name).toBe('CANCELLED');
});

test('says what would change now, and starts nothing', async () => {
  const template = templateFor('nightly-now');
  const answer: unknown = await house().ask('night', { template });
  expect(answer).toMatchObject({ change: 'image', reason: 'base b sha256:aaa → sha256:bbb' });
});
