/** A control worker of another version comes: what is under way goes on, or the worker does not start. */
import { readFile, writeFile, rm } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { requireReplay } from '../../workers/temporal/replay.ts';
import { workflowSource, type WorkflowSource } from '../../workers/workflow-source.ts';
import { openHouse, type House, type ReleaseHandle } from './house.ts';
import { idOf, requestFor } from './facts.ts';
import { installQuietRuntime } from './server.ts';
import { failed } from './stand-ins.ts';

const NAMESPACE = 'upgrade';
let connection: Connection;
let client: Client;
let house: House;
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
    await writeFile(`${bundle}.${name}`, code);
    return workflowSource(`${bundle}.${name}`);
  };
  const began = /async function release\(\w+\) \{/;
  if (!began.test(text)) throw new Error('the bundle has no workflow `release`: look how it begins now');
  changed = await other('changed', text.replace(began, '$& await new Promise((go) => setTimeout(go, 1));'));
  alike = await other('alike', text.replace(began, '$& /* the same in other words */'));
  connection = await Connection.connect({ address: inject('temporalAddress') });
  client = new Client({ connection, namespace: NAMESPACE });
  house = await openHouse({ address: inject('temporalAddress'), namespace: NAMESPACE, bundle, buildId: same.buildId });
});
afterAll(async () => {
  await house.close();
  await connection.close();
  for (const name of ['changed', 'alike']) await rm(`${inject('workflowBundle')}.${name}`);
});

describe('what is under way when another version comes', () => {
  test('goes on, is replayed for another build, and keeps a changed worker from starting', async () => {
    expect(new Set([same.buildId, changed.buildId, alike.buildId]).size).toBe(3);
    const request = requestFor('upgraded', {});
    let broken = true;
    house.standIns.behave(idOf(request), {
      build: (_input, { ordinary }) => {
        if (broken) throw failed('containerfile', 'STEP 2: RUN false');
        return ordinary();
      },
    });
    const handle = await house.start(request);
    await house.until(handle, 'held', (record) => record.status === 'held');

    expect(await requireReplay(client, same)).toBe(0);
    expect(await requireReplay(client, alike)).toBe(1);
    await expect(requireReplay(client, changed)).rejects.toMatchObject({
      failure: {
        kind: 'host-setup',
        message: `1 of 1 workflows under way would not go on with this version (${changed.buildId}): ${idOf(request)}`,
      },
    });

    broken = false;
    await house.close();
    house = await openHouse({
      address: inject('temporalAddress'),
      namespace: NAMESPACE,
      bundle: `${inject('workflowBundle')}.alike`,
      buildId: alike.buildId,
    });
    const again: ReleaseHandle = house.client.workflow.getHandle(idOf(request));
    await house.retry(again);
    expect((await again.result()).status).toBe('released');
    expect(await requireReplay(client, changed)).toBe(0);
  });
});
