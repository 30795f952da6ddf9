import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { WorkerConfiguration } from '../../../../model/spec/worker-configuration.ts';
import { openSignDirectory } from '../../../../workers/host/open-directories.ts';

it('refuses a second signer, which would overwrite the signatures of the first', async () => {
  const work = await mkdtemp(join(tmpdir(), 'flightline-signers-'));
  const configuration = WorkerConfiguration.parse({ directories: { work } });
  const open = async () => {
    const undo: (() => unknown)[] = [];
    await openSignDirectory(configuration, pino({ level: 'silent' }), undo);
    return undo;
  };
  try {
    const first = await open();
    await expect(open()).rejects.toMatchObject({
      failure: { kind: 'host-setup', remedy: { action: expect.stringContaining('two signers') as string } },
    });
    for (const step of first) await step();
    for (const step of await open()) await step();
  } finally {
    await rm(work, { recursive: true, force: true });
  }
});
