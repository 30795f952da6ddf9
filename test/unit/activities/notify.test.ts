/** Notifications: the decisions around them. What a server gets is in test/workflows/notify.test.ts. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { requireWebhooks } from '../../../activities/notify.ts';
import { deliveryOf, verdictOf } from '../../../activities/delivery.ts';
import { nextPage } from '../../../activities/tools/registry/api.ts';
import { FlightlineSpec } from '../../../model/spec/flightline-spec.ts';
import { eventsOf, type Notification } from '../../../model/release/notification.ts';
import { WorkerConfiguration } from '../../../model/spec/worker-configuration.ts';
import { webhookChecks } from '../../../workers/doctor/checks/webhooks.ts';

it.each([
  ['running', 'held', false, ['held']],
  ['held', 'running', true, []],
  ['running', 'released', false, ['released']],
  ['running', 'released', true, ['released', 'recovered']],
  ['held', 'failed', true, ['failed']],
  ['running', 'unchanged', false, []],
  ['running', 'cancelled', true, []],
  ['held', 'held', true, []],
] as const)('from %s to %s tells (held before: %s) %j', (before, after, wasHeld, events) => {
  expect(eventsOf(before, after, wasHeld)).toEqual(events);
});

it.each([
  [200, 'taken'],
  [204, 'taken'],
  [301, 'refused'],
  [400, 'refused'],
  [404, 'refused'],
  [408, 'again'],
  [429, 'again'],
  [500, 'again'],
  [503, 'again'],
])('an answer of %i is %s', (status, verdict) => {
  expect(verdictOf(status)).toBe(verdict);
});

it('signs timestamp and body, and without a secret nothing', () => {
  const document = { event: 'held', id: 'x' } as Notification;
  expect(deliveryOf(document, 'key', '7').headers['flightline-signature']).toMatch(/^sha256=[0-9a-f]{64}$/);
  expect(deliveryOf(document, 'key', '7').headers).not.toEqual(deliveryOf(document, 'key', '8').headers);
  expect(deliveryOf(document, null, '7').headers).not.toHaveProperty('flightline-signature');
});

it('refuses names that the control worker does not know', () => {
  const configuration = WorkerConfiguration.parse({ webhooks: { chat: { url: 'https://chat.example/x' } } });
  expect(() => requireWebhooks(configuration, [{ webhook: 'chat', on: ['held'] }])).not.toThrow();
  expect(() => requireWebhooks(configuration, [{ webhook: 'constructor', on: ['held'] }])).toThrow(
    'the control worker has no webhook "constructor"; it has "chat"',
  );
});

it('is parsed with all events as the default', () => {
  const spec = {
    name: 'x',
    image: { repository: 'r.example/x' },
    signing: { key: 'k' },
    notify: [{ webhook: 'chat' }],
  };
  expect(FlightlineSpec.parse(spec).notify).toEqual([
    { webhook: 'chat', on: ['held', 'failed', 'released', 'recovered'] },
  ]);
  expect(FlightlineSpec.safeParse({ ...spec, notify: [{ webhook: 'chat', on: ['ended'] }] }).success).toBe(false);
});

it('is looked at by doctor', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-doctor-'));
  const file = join(directory, 'secret');
  await writeFile(file, 'x', { mode: 0o600 });
  const configuration = WorkerConfiguration.parse({
    secrets: { hook: { file, repositories: ['r.example'] }, gone: { file: '/none', repositories: ['r.example'] } },
    webhooks: {
      good: { url: 'https://chat.example/x', hmacSecret: 'hook' },
      clear: { url: 'http://chat.example/x' },
      near: { url: 'http://127.0.0.1:99/x' },
      lost: { url: 'https://chat.example/x', hmacSecret: 'gone' },
      unknown: { url: 'https://chat.example/x', hmacSecret: 'none' },
    },
  });
  const looked = await Promise.all(
    Object.entries(configuration.webhooks).map(([name, webhook]) => {
      const alone = { ...configuration, webhooks: { [name]: webhook } };
      return webhookChecks[0]!.run({ roles: ['control'], configuration: alone, environment: {} });
    }),
  );
  expect(looked.map(({ status }) => status)).toEqual(['ok', 'warning', 'ok', 'failed', 'failed']);
  await rm(directory, { recursive: true });
});

it.each([
  ['</v2/a/tags/list?last=x&n=2>; rel="next"', 'https://r.example/v2/a/tags/list?last=x&n=2'],
  ['<http://r.example/v2/a/tags/list?last=x>; rel=next', 'https://r.example/v2/a/tags/list?last=x'],
  ['</p>; rel="prev", </n>; title="a, b"; rel="next"', 'https://r.example/n'],
  ['</p>; rel="prev"', undefined],
  ['<https://elsewhere.example/n>; rel="next"', undefined],
  [undefined, undefined],
])('the Link header %s leads to %s', (header, expected) => {
  expect(nextPage(header, new URL('https://r.example/v2/a/tags/list?n=2'))?.href).toBe(expected);
});
