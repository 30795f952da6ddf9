/** As same-as-podman.test.ts: more of what makes files and configurations, and of what podman refuses. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { batches, batchOf, inFewFiles, MORE_IMAGES, MORE_STAGES, MORE_REFUSED } from '../support/containerfiles.ts';
import { openComparison, type PodmanComparison } from '../support/podman-comparison.ts';

let podman: PodmanComparison;
beforeAll(async () => {
  podman = await openComparison();
});
afterAll(async () => {
  await podman?.close();
});

it.each(batches(MORE_STAGES))('files are the same: %s', async (_, batch) => {
  expect((await podman.compare(batchOf(batch, podman.since))).differences).toEqual([]);
});

it.each(inFewFiles(Object.entries(MORE_IMAGES)))('the image is the same: %s', async (_, text) => {
  expect((await podman.compare(text)).differences).toEqual([]);
});

it.each(Object.entries(MORE_REFUSED))("podman's refusal is told in its own words: %s", async (_, text) => {
  const { own, failure } = await podman.refusal(text);
  expect(own).not.toBe('');
  expect(failure).toMatchObject({ type: 'containerfile', nonRetryable: true });
  expect((failure as Error).message).toContain(own);
});
