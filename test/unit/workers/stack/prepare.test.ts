import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stackPaths } from '../../../../workers/stack/files.ts';
import { writeConfiguration } from '../../../../workers/stack/prepare.ts';

it('keeps what a worker configuration was given, until another one is', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-prepare-'));
  const start = async (workerConfiguration?: string) => {
    const options = { directory, ...(workerConfiguration !== undefined && { workerConfiguration }) };
    const { webhooks } = await writeConfiguration(stackPaths(directory), '127.0.0.1:5000', undefined, options);
    return Object.keys(webhooks);
  };
  try {
    expect(await start()).toEqual([]);
    expect(await start('webhooks: { chat: { url: https://hooks.example/chat } }\n')).toEqual(['chat']);
    expect(await start()).toEqual(['chat']);
    await expect(start('webhooks: { chat: 1 }\n')).rejects.toThrow(/--worker-config/);
    expect(await start()).toEqual(['chat']);
    expect(await start('webhooks: { mail: { url: https://hooks.example/mail } }\n')).toEqual(['mail']);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
