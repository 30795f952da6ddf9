/**
 * As orders.test.ts, in 50,000 orders that are others each time. `ORDERS_SEED=… npm run test:long` tries the same
 * again.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { workflowModules } from '../../workers/workflow-modules.ts';
import { tryOrders } from './orders/property.ts';

test('a release comes to a true end in 50,000 orders of events', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'flightline-orders-'));
  try {
    const bundle = path.join(directory, 'workflow-bundle.cjs');
    const { code } = await bundleWorkflowCode({ ...workflowModules(), logger: new DefaultLogger('ERROR') });
    await writeFile(bundle, code);
    const seed = Number(process.env.ORDERS_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const runs = Number(process.env.ORDERS ?? 50_000);
    await expect(tryOrders(bundle, { runs, seed })).resolves.toBeUndefined();
  } finally {
    await rm(directory, { recursive: true });
  }
}, 3_600_000);
