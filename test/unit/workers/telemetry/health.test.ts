import { afterEach, expect, test } from 'vitest';
import { offerHealth } from '../../../../workers/telemetry/health.ts';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

test('tells a process that lives from one that works', async () => {
  let reason: string | null = 'it does not poll';
  const { url, close } = await offerHealth('127.0.0.1:0', async () => {
    if (reason === 'falls over') throw new Error('no idea');
    return reason;
  });
  undo.push(close);
  const ask = async (path: string) => {
    const answer = await fetch(`${url}${path}`);
    return [answer.status, (await answer.text()).trim()];
  };
  expect(await ask('/healthz')).toEqual([200, 'ok']);
  expect(await ask('/readyz')).toEqual([503, 'it does not poll']);
  reason = 'falls over';
  expect(await ask('/readyz')).toEqual([503, 'no idea']);
  reason = null;
  expect(await ask('/readyz')).toEqual([200, 'ok']);
  expect(await ask('/metrics')).toEqual([404, 'there are /healthz and /readyz']);
});

test('names an address that is taken, and one that is none', async () => {
  const { url, close } = await offerHealth('127.0.0.1:0', async () => null);
  undo.push(close);
  await expect(offerHealth(url.replace('http://', ''), async () => null)).rejects.toMatchObject({
    failure: { kind: 'host-setup', message: expect.stringContaining('EADDRINUSE') },
  });
  await expect(offerHealth('somewhere', async () => null)).rejects.toMatchObject({
    failure: { kind: 'invalid-input' },
  });
});
