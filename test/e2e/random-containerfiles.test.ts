/** Containerfiles from a seed are released as podman builds them: tree and configuration. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openComparison, type PodmanComparison } from '../support/podman-comparison.ts';
import { differencesOf } from '../support/random-containerfiles.ts';

const SEED = Number(process.env.FLIGHTLINE_SEED ?? 20_261_129);
/** Cases, which are one file. */
const CASES = 10;

let podman: PodmanComparison;
beforeAll(async () => {
  podman = await openComparison();
});
afterAll(async () => {
  await podman?.close();
});

it(`ten Containerfiles of the seed ${SEED}`, async () => {
  expect(await differencesOf(podman, SEED, 0, CASES)).toEqual([]);
});
