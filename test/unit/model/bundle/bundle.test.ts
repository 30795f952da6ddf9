import { describe, expect, it } from 'vitest';
import {
  bundleIndexText,
  bundleSubjects,
  importedRepository,
  isAttachedTo,
  readBundleIndex,
} from '../../../../model/bundle/bundle.ts';
import { ReleaseRecord } from '../../../../model/release/record.ts';

const R = 'quay.io/acme/edge';
const digest = (text: string) => `sha256:${text.repeat(64)}`;
const root = (name: string) => ({ name, mediaType: 'application/x', digest: digest('a'), size: 3 });
const INDEX = { image: `${R}:v1`, record: `${R}/release:v1`, roots: [root(`${R}:v1`), root(`${R}@${digest('b')}`)] };

describe('index.json', () => {
  it('is read as it was written, in whatever order the roots were found', () => {
    const text = bundleIndexText(INDEX);
    expect(readBundleIndex(text)).toEqual(INDEX);
    expect(bundleIndexText({ ...INDEX, roots: INDEX.roots.toReversed() })).toBe(text);
  });

  it.each([
    ['is not JSON', (text: string) => `${text}}`],
    ['has a space', (text: string) => text.replace(',', ', ')],
    ['has something else', (text: string) => text.replace('{', '{"artifactType":"x",')],
    [
      'has another order',
      (text: string) => JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text)).reverse())),
    ],
    ['names nothing', (text: string) => text.replace('ref.name', 'ref.mane')],
    ['has a name twice', () => bundleIndexText({ ...INDEX, roots: [root('a'), root('a')] })],
  ])('is refused when it %s', (_, change) => {
    expect(readBundleIndex(change(bundleIndexText(INDEX)))).toBeUndefined();
  });
});

it('a repository goes where its name says, or nowhere', () => {
  const place = (repository: string) => importedRepository(repository, R, 'plant/edge');
  expect(place(R)).toBe('plant/edge');
  expect(place(`${R}/diskimage-qcow2`)).toBe('plant/edge/diskimage-qcow2');
  expect(place(`${R}-release`)).toBe('plant/edge-release');
  expect(place(`${R}2`)).toBeUndefined();
  expect(place('quay.io/acme/records')).toBeUndefined();
});

it('only what has the tag of a digest that is there is attached to it', () => {
  const held = [{ repository: R, digest: digest('a') }];
  const tag = digest('a').replace(':', '-');
  expect(isAttachedTo(`${R}:${tag}.sig`, held)).toBe(true);
  for (const other of [`${R}:${tag}`, `${R}:${tag}.s1`, `${R}/x:${tag}.sig`, `${R}:${tag}.`, `${R}:v1`]) {
    expect(isAttachedTo(other, held), other).toBe(false);
  }
});

it('the record tells what belongs to it: what was published, in the order of tags', () => {
  const disk = { form: 'artifact', verified: true, updateFrom: `${R}:v1`, file: null };
  const record = ReleaseRecord.parse({
    schemaVersion: 1,
    release: 'release/x',
    runId: 'x',
    status: 'released',
    image: { reference: `${R}:v1`, digest: digest('a'), verified: true },
    disks: [
      { ...disk, type: 'qcow2', reference: `${R}/diskimage-qcow2:v1`, digest: digest('b') },
      { ...disk, type: 'iso', form: 'none', reference: null, digest: null },
    ],
    inputs: null,
    stages: [],
    failure: null,
  });
  const image = { repository: R, tag: 'stable' };
  expect(bundleSubjects(record, image, { repository: `${R}/release`, tag: 'stable' }, digest('c'))).toEqual([
    { repository: `${R}/diskimage-qcow2`, tag: 'v1', digest: digest('b') },
    { repository: R, tag: 'stable', digest: digest('a') },
    { repository: `${R}/release`, tag: 'stable', digest: digest('c') },
  ]);
});
