/**
 * A control worker of another version comes: what is under way goes on, with the new version or with the one that it
 * began with, or the worker does not start.
 */
import { readFile, writeFile, rm } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { pino } from 'pino';
import { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { checksFor } from '../../workers/doctor/all-checks.ts';
import { examine } from '../../workers/doctor/examine.ts';
import { requireReplay } from '../../workers/temporal/replay.ts';
import { startTakeOver } from '../../workers/temporal/take-over.ts';
import { requireUnversioned } from '../../workers/temporal/versions.ts';
import { workflowSource, type WorkflowSource } from '../../workers/workflow-source.ts';
import { eventually } from '../support/wait.ts';
import { openHouse, type House, type ReleaseHandle } from './house.ts';
import type { Namespace } from './namespaces.ts';
import { idOf, requestFor } from './facts.ts';
import { installQuietRuntime } from './server.ts';
import { failed } from './stand-ins.ts';

let connection: Connection;
/** Paths of bundles that this file made. */
const made: string[] = [];
let same: WorkflowSource;
/** The release's code, which begins with a timer that no history has. */
let changed: WorkflowSource;
/** Other text, same behaviour. */
let alike: WorkflowSource;

beforeAll(async () => {
  installQuietRuntime();
  const bundle = inject('workflowBundle');
  same = await workflowSource(bundle);
  const text = await readFile(bundle, 'utf8');
  const other = async (name: string, code: string) => {
    made.push(`${bundle}.${name}`);
    await writeFile(made.at(-1)!, code);
    return workflowSource(made.at(-1)!);
  };
  const began = /async function release\(\w+\) \{/;
  if (!began.test(text)) throw new Error('the bundle has no workflow `release`: look how it begins now');
  changed = await other('changed', text.replace(began, '$& void new Promise((go) => setTimeout(go, 1));'));
  alike = await other('alike', text.replace(began, '$& /* the same in other words */'));
  connection = await Connection.connect({ address: inject('temporalAddress') });
});
afterAll(async () => {
  await connection.close();
  for (const path of made) await rm(path);
});

/** A control worker with this code, and workers of the other roles. */
function openWith(namespace: Namespace, source: WorkflowSource, versioned: boolean, beside?: House): Promise<House> {
  const { codePath } = source.bundle as { codePath: string };
  return openHouse({
    address: inject('temporalAddress'),
    namespace,
    bundle: codePath,
    buildId: source.buildId,
    versioned,
    standIns: beside?.standIns,
  });
}

/** Starts a release that is held until somebody retries it. */
async function startHeld(house: House, name: string): Promise<string> {
  const request = requestFor(name, { disks: {} });
  let calls = 0;
  house.standIns.behave(idOf(request), {
    build: (_input, { ordinary }) => {
      if (++calls === 1) throw failed('containerfile', 'STEP 2: RUN false');
      return ordinary();
    },
  });
  const handle = await house.start(request);
  await house.until(handle, 'held', (record) => record.status === 'held');
  return idOf(request);
}

async function retryToItsEnd(house: House, release: string): Promise<string> {
  const handle: ReleaseHandle = house.client.workflow.getHandle(release);
  await house.retry(handle);
  return (await handle.result()).status;
}

describe('what is under way when another version comes', () => {
  test('goes on, is replayed for another build, and keeps a changed worker from starting', async () => {
    expect(new Set([same.buildId, changed.buildId, alike.buildId]).size).toBe(3);
    const client = new Client({ connection, namespace: 'upgrade' });
    const before = await openWith('upgrade', same, false);
    const release = await startHeld(before, 'upgraded');

    expect(await requireReplay(client, same)).toBe(0);
    expect(await requireReplay(client, alike)).toBe(1);
    await expect(requireReplay(client, changed)).rejects.toMatchObject({
      failure: {
        kind: 'host-setup',
        message: `1 of 1 workflows under way would not go on with this version (${changed.buildId}): ${release}`,
      },
    });

    await before.close();
    const after = await openWith('upgrade', alike, false);
    try {
      expect(await retryToItsEnd(after, release)).toBe('released');
      expect(await requireReplay(client, changed)).toBe(0);
    } finally {
      await after.close();
    }
  });

  test('is named by doctor where it would not go on', async () => {
    const other = await openWith('upgrade', changed, false);
    try {
      const release = await startHeld(other, 'of-another-version');
      const [check] = checksFor(['control']).filter(({ name }) => name === 'releases under way');
      const environment = { TEMPORAL_ADDRESS: inject('temporalAddress'), TEMPORAL_NAMESPACE: 'upgrade' };
      const configuration = WorkerConfiguration.parse({});
      expect(await examine(check!, { roles: ['control'], configuration, environment }, false)).toMatchObject({
        status: 'failed',
        detail: expect.stringMatching(new RegExp(`would not go on with this version \\(.*\\): ${release}$`)),
        remedy: expect.stringContaining('control worker of the version before'),
      });
      await other.client.workflow.getHandle(release).terminate('end of test');
    } finally {
      await other.close();
    }
  });

  test('stays with its own version while a worker of it runs, and goes on with one that replays it', async () => {
    const client = new Client({ connection, namespace: 'versions' });
    const said: string[] = [];
    const log = pino({}, { write: (line: string) => said.push((JSON.parse(line) as { msg: string }).msg) });
    const says = (what: string) =>
      eventually(what, async () => (said.some((line) => line.includes(what)) ? true : undefined));
    const beginsWith = ({ buildId }: WorkflowSource) => says(`begins with this version (${buildId})`);
    await requireUnversioned(client);
    const old = await openWith('versions', same, true);
    const stopOld = startTakeOver(client, same, log, { look: 200, within: 60_000 });
    await beginsWith(same);
    const kept = await startHeld(old, 'kept');
    const left = await startHeld(old, 'left');

    // Its workflows are others, and nothing of theirs comes to it: it may start beside the old one.
    expect(await requireReplay(client, changed)).toBe(0);
    const next = await openWith('versions', changed, true, old);
    const stopNext = startTakeOver(client, changed, log, { look: 200, within: 60_000 });
    await beginsWith(changed);
    expect(await retryToItsEnd(old, kept)).toBe('released');
    const fresh = await startHeld(next, 'fresh');
    await expect(requireUnversioned(client)).rejects.toMatchObject({ failure: { kind: 'host-setup' } });
    stopOld();
    stopNext();
    // The old one did not become current again, and nothing was moved.
    expect(said.filter((line) => line.includes('begins with this version'))).toHaveLength(2);
    expect(said.filter((line) => line.includes('goes on with this version'))).toEqual([]);

    // No worker of the old version any more: what does not replay waits by name, and what replays goes on.
    await old.close();
    startTakeOver(client, changed, log, { look: 60_000, within: 0 })();
    await says(`no worker of ${same.buildId} runs, and with this version would not go on: ${left}`);
    const last = await openWith('versions', alike, true, old);
    startTakeOver(client, alike, log, { look: 60_000, within: 0 })();
    await says(`${left} goes on with this version: no worker of ${same.buildId} runs`);
    expect(await retryToItsEnd(last, left)).toBe('released');
    expect(await retryToItsEnd(next, fresh)).toBe('released');
    await next.close();
    await last.close();
  }, 180_000);
});
