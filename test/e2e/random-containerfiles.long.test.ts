/** As those of same-as-podman.test.ts, more of them, from another seed each day. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openComparison, type PodmanComparison } from '../support/podman-comparison.ts';
import { differencesOf } from '../support/random-containerfiles.ts';

const SEED = Number(process.env.FLIGHTLINE_SEED ?? Math.floor(Date.now() / 86_400_000));
const COUNT = Number(process.env.FLIGHTLINE_CASES ?? 2_000);
const BATCH = 20;

let podman: PodmanComparison;
beforeAll(async () => {
  podman = await openComparison();
});
afterAll(async () => {
  await podman?.close();
});

it.each(Array.from({ length: Math.ceil(COUNT / BATCH) }, (_, index) => index * BATCH))(
  `twenty Containerfiles of the seed ${SEED}, from number %d`,
  async (from) => {
    expect(await differencesOf(podman, SEED, from, BATCH)).toEqual([]);
  },
);
