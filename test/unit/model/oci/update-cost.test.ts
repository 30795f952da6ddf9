import { describe, expect, it, test } from 'vitest';
import {
  overMaxUpdate,
  updateCost,
  updatesInWords,
  type ImageManifest,
  type UpdateCost,
} from '../../../../model/oci/update-cost.ts';

const digest = (name: string) => `sha256:${name.repeat(64)}`;
const descriptor = (name: string, size: number) => ({ mediaType: 'a/b', digest: digest(name), size });
/** An image with a manifest of 10 bytes, a configuration of 5, and these layers. */
const image = (name: string, layers: Record<string, number> | [string, number][]): ImageManifest => ({
  digest: digest(name),
  size: 10,
  manifest: {
    schemaVersion: 2,
    config: descriptor('c', 5),
    layers: (Array.isArray(layers) ? layers : Object.entries(layers)).map(([one, size]) => descriptor(one, size)),
  },
});

describe('updateCost', () => {
  it.each<[string, ImageManifest, ImageManifest, object]>([
    ['further layers', image('a', { 1: 100 }), image('b', { 1: 100, 2: 20 }), { bytes: 35, layers: 1, of: 2 }],
    ['other layers', image('a', { 1: 100 }), image('b', { 2: 20, 3: 3 }), { bytes: 38, layers: 2, of: 2 }],
    ['fewer layers', image('a', { 1: 100, 2: 20 }), image('b', { 1: 100 }), { bytes: 15, layers: 0, of: 1 }],
    [
      'layers in another order',
      image('a', { 1: 1, 2: 2 }),
      image('b', [
        ['2', 2],
        ['1', 1],
      ]),
      { bytes: 15, layers: 0 },
    ],
    [
      'a layer twice',
      image('a', {}),
      image('b', [
        ['2', 20],
        ['2', 20],
      ]),
      { bytes: 55, layers: 2, of: 2 },
    ],
    ['the same image', image('a', { 1: 100 }), image('a', { 1: 100 }), { bytes: 0, layers: 0, of: 1 }],
  ])('counts %s', (_, before, next, cost) => expect(updateCost(before, next)).toMatchObject(cost));
});

const cost = (more: Partial<UpdateCost> = {}): UpdateCost => ({
  platform: 'linux/amd64',
  from: 'quay.io:443/acme/edge:v1',
  digest: digest('a'),
  bytes: 212_000_000,
  layers: 3,
  of: 71,
  ...more,
});
const both = [cost(), cost({ platform: 'linux/arm64', bytes: 301_000_000 })];

test('words', () => {
  expect(updatesInWords([cost()])).toEqual(['devices on v1 fetch 212 MB (3 of 71 layers)']);
  const packages = { added: 1, removed: 0, changed: 14 };
  expect(updatesInWords([{ ...cost(), packages }])).toEqual([
    'devices on v1 fetch 212 MB (3 of 71 layers), packages: 1 added, 0 removed, 14 changed',
  ]);
  expect(updatesInWords(both)).toEqual([
    'linux/amd64: devices on v1 fetch 212 MB (3 of 71 layers)',
    'linux/arm64: devices on v1 fetch 301 MB (3 of 71 layers)',
  ]);
});

test.each<[UpdateCost[], number | undefined, string | undefined]>([
  [[], 1, undefined],
  [both, undefined, undefined],
  [[cost()], 212_000_000, undefined],
  [[cost()], 211_999_999, 'devices on v1 fetch 212 MB (3 of 71 layers), more than 212 MB (maxUpdate)'],
  [both, 300_000_000, 'linux/arm64: devices on v1 fetch 301 MB (3 of 71 layers), more than 300 MB (maxUpdate)'],
])('overMaxUpdate %#', (costs, most, expected) => expect(overMaxUpdate(costs, most)).toBe(expected));
