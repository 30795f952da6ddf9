/**
 * A release in random orders of events: retries, changed specs, approvals, replacements, cancellations, lost hosts,
 * collected images.
 */
import { expect, inject, test } from 'vitest';
import { tryOrders } from './orders/property.ts';

test('a release comes to a true end in 300 orders of events', async () => {
  // The same ones each time, so that a failure is one of the change at hand; the long test tries others, and more: when
  // a plan still changed wherever a release stood, one in seven hundred recorded a disk that was not made, built disks
  // of an image that was being pushed again, or recorded an image that had been given up.
  await expect(tryOrders(inject('workflowBundle'), { runs: 300, seed: 2 })).resolves.toBeUndefined();
}, 600_000);
