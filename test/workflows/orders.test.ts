/**
 * A release in random orders of events: retries, changed specs, approvals, replacements, cancellations, lost hosts,
 * collected images.
 */
import { expect, inject, test } from 'vitest';
import { tryOrders } from './orders/property.ts';

test('a release comes to a true end in 2,000 orders of events', async () => {
  // The same ones each time, so that a failure is one of the change at hand; the long test tries others.
  await expect(tryOrders(inject('workflowBundle'), { runs: 2_000, seed: 1 })).resolves.toBeUndefined();
}, 600_000);
