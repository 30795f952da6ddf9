/**
 * Webhooks are told what becomes of a release, by the real activity and a real HTTP server; one that fails changes
 * nothing.
 */
import type { ActivitiesOn } from '../../model/contract/activities.ts';
import { offeredOn } from '../../activities/index.ts';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Notification } from '../../model/release/notification.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { eventually } from '../support/wait.ts';
import { digestOf, idOf, requestFor, type RequestChanges } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed } from './stand-ins.ts';

const SECRET = 'a secret that both sides know';
const UPDATE = {
  platform: 'linux/amd64',
  from: 'registry.example/acme/fixed:v1',
  digest: digestOf('before'),
  bytes: 212_000_000,
  layers: 3,
  of: 71,
};
const house = useHouse('notify');

interface Delivery {
  headers: IncomingHttpHeaders;
  body: string;
  document: Notification;
}

let directory: string;
let server: Server;
let address: string;
let configuration: WorkerConfiguration;
/** Deliveries by path. */
const seen = new Map<string, Delivery[]>();
/** How a path answers its tries, in turn; the last for ever. */
const answers = new Map<string, (number | 'never')[]>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-notify-'));
  await writeFile(join(directory, 'secret'), `${SECRET}\n`, { mode: 0o600 });
  server = createServer((incoming, response) => {
    void text(incoming).then((body) => {
      const path = incoming.url!;
      const deliveries = seen.get(path) ?? [];
      seen.set(path, [
        ...deliveries,
        { headers: incoming.headers, body, document: Notification.parse(JSON.parse(body)) },
      ]);
      const planned = answers.get(path) ?? [200];
      const answer = planned[Math.min(deliveries.length, planned.length - 1)]!;
      if (answer === 'never') return;
      response.writeHead(answer, answer < 400 && answer >= 300 ? { location: `${address}/elsewhere` } : {}).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const hook = (name: string) => [name, { url: `${address}/${name}`, hmacSecret: 'hook' }];
  configuration = WorkerConfiguration.parse({
    secrets: { hook: { file: join(directory, 'secret'), repositories: ['registry.example/acme'] } },
    webhooks: Object.fromEntries(['fixed', 'refuses', 'moved', 'hangs', 'fails'].map(hook)),
    webUi: 'https://temporal.example/',
  });
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(directory, { recursive: true, force: true });
});

const tell = async (input: Parameters<ActivitiesOn<'control'>['notify']>[0]) =>
  (await offeredOn('control', { configuration })).notify(input);
const deliveriesTo = (name: string) => seen.get(`/${name}`) ?? [];
const isHeld = (record: ReleaseRecord) => record.status === 'held';
function request(name: string, changes: RequestChanges = {}) {
  const on = ['held', 'failed', 'released', 'recovered'] as const;
  return requestFor(name, { disks: {}, notify: [{ webhook: name, on: [...on] }], ...changes });
}

describe.concurrent('a webhook', () => {
  test('is told of a hold, though it is away at first, and of the recovery, signed', async () => {
    const { standIns, start, until, retry } = house();
    const asked = request('fixed');
    const release = idOf(asked);
    answers.set('/fixed', [503, 200]);
    let fixed = false;
    standIns.behave(release, {
      notify: tell,
      verify: (_, { ordinary }) => ({ ...ordinary(), updates: [UPDATE] }),
      build: (_, { ordinary }) => {
        if (!fixed) throw failed('containerfile', 'STEP 2: RUN false');
        return ordinary();
      },
    });
    const handle = await start(asked);
    await until(handle, 'held', isHeld);
    await eventually('it is told', async () => (deliveriesTo('fixed').length >= 2 ? true : undefined), {
      timeout: 20_000,
    });
    const [first, second] = deliveriesTo('fixed');
    // The same delivery, signed anew.
    expect(second!.document).toEqual(first!.document);
    expect(second!.document).toMatchObject({
      schemaVersion: 1,
      event: 'held',
      status: 'held',
      name: 'fixed',
      release,
      reference: 'registry.example/acme/fixed:v1',
      stage: 'build',
      digest: null,
      failure: { kind: 'containerfile', message: 'STEP 2: RUN false' },
    });
    expect(second!.document.failure?.remedy).toContain('flightline retry registry.example/acme/fixed:v1 --spec');
    const page = 'https://temporal.example/namespaces/notify/workflows/release%2Fregistry.example%2Facme%2Ffixed%3Av1';
    expect(second!.document.link?.replace(/[0-9a-f-]{36}/, 'RUN')).toBe(`${page}/RUN/history`);
    fixed = true;
    await retry(handle);
    expect((await handle.result()).status).toBe('released');
    await eventually('it is told the end', async () => (deliveriesTo('fixed').length >= 4 ? true : undefined), {
      timeout: 20_000,
    });
    const all = deliveriesTo('fixed');
    expect(all.map(({ document }) => document.event).toSorted()).toEqual(['held', 'held', 'recovered', 'released']);
    expect(all.at(-1)!.document).toMatchObject({ status: 'released', failure: null, digest: expect.any(String) });
    expect(all.at(-1)!.document.updates).toEqual([{ ...UPDATE, text: 'devices on v1 fetch 212 MB (3 of 71 layers)' }]);
    expect(all[0]!.document).not.toHaveProperty('updates');
    for (const { headers, body, document } of all) {
      const timestamp = String(headers['flightline-timestamp']);
      const expected = createHmac('sha256', SECRET).update(`${timestamp}.${body}`).digest('hex');
      expect(headers['flightline-signature']).toBe(`sha256=${expected}`);
      expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60);
      expect(headers['flightline-event']).toBe(document.event);
      expect(headers['flightline-delivery']).toBe(document.id);
      expect(body).not.toContain(SECRET);
    }
  });

  test.each<[string, (number | 'never')[], string | null]>([
    ['refuses', [404], 'webhook-refused'],
    ['moved', [302], 'webhook-refused'],
    ['hangs', ['never'], null],
  ])('that %s changes nothing, and holds nothing up', async (name, planned, kind) => {
    const { client, standIns, start } = house();
    const asked = request(name);
    const plain = requestFor(`${name}-plain`, { disks: {} });
    answers.set(`/${name}`, planned);
    standIns.behave(idOf(asked), { notify: tell });
    const handle = await start(asked);
    const [record, other] = await Promise.all([handle.result(), start(plain).then((one) => one.result())]);
    const facts = ({ status, image, stages, failure, warnings }: ReleaseRecord) => {
      return { status, digest: image.digest, failure, warnings, stages: stages.map((row) => [row.name, row.status]) };
    };
    expect(facts(record)).toEqual({
      ...facts(other),
      digest: digestOf(digestOf(`image of ${record.inputs!.image}`).slice(7)),
    });
    await eventually('it was told', async () => (deliveriesTo(name).length > 0 ? true : undefined), {
      timeout: 20_000,
    });
    const delivery = client.workflow.getHandle(`notify/${record.release}/${record.runId}/1`);
    if (kind === null) {
      expect((await delivery.describe()).status.name).toBe('RUNNING');
      await delivery.terminate('the test is over');
      return;
    }
    const error = await delivery.result().then(
      () => expect.fail('it should have failed'),
      (thrown: { cause?: { cause?: { type?: string; message?: string } } }) => thrown.cause?.cause,
    );
    expect(error).toMatchObject({ type: kind, message: expect.not.stringContaining(`/${name}`) });
    // Neither told again, nor followed to where it says.
    expect(deliveriesTo(name)).toHaveLength(1);
    expect(deliveriesTo('elsewhere')).toEqual([]);
  });

  test('is told of a failure, and only what it asked for', async () => {
    const { standIns, start } = house();
    const asked = request('fails', { notify: [{ webhook: 'fails', on: ['failed'] }], onFailure: 'fail' });
    standIns.behave(idOf(asked), {
      notify: tell,
      push: () => {
        throw failed('registry-denied', 'denied');
      },
    });
    await expect((await start(asked)).result()).rejects.toThrow();
    await eventually('it is told', async () => deliveriesTo('fails')[0], { timeout: 20_000 });
    expect(deliveriesTo('fails').map(({ document }) => [document.event, document.stage, document.status])).toEqual([
      ['failed', 'push', 'failed'],
    ]);
  });
});
