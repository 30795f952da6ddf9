/** What a promotion copies, where to, and what its record says. */
import { expect, test } from 'vitest';
import {
  counterpart,
  promotedItems,
  promotedRecord,
  promotionTarget,
  type PromotionPlan,
} from '../../../../model/tags/promotion.ts';
import { ReleaseRecord } from '../../../../model/release/record.ts';
import { timingWith } from '../../../../model/base/timing.ts';
import { diskMoves } from '../../../../model/tags/shared-tag.ts';
import { renderHistory } from '../../../../client/view/history.ts';
import { renderPromotion } from '../../../../client/follow/promotion-text.ts';
import { digestOf } from '../../../workflows/facts.ts';

const S = 'quay.io/acme/camera';
const source = { repository: S, tag: 'v1' };

const record: ReleaseRecord = {
  schemaVersion: 1,
  release: `release/${S}:v1`,
  runId: 'run',
  status: 'released',
  image: {
    reference: `${S}:v1`,
    digest: digestOf('image'),
    verified: true,
    updates: [{ platform: 'linux/amd64', from: `${S}:latest`, digest: digestOf('before'), bytes: 1, layers: 1, of: 2 }],
  },
  disks: [
    {
      type: 'qcow2',
      form: 'artifact',
      reference: `${S}/diskimage-qcow2:v1`,
      digest: digestOf('qcow2'),
      verified: true,
      updateFrom: `${S}:latest`,
      file: { size: 1, sha256: digestOf('file').slice(7), host: 'host-a', path: '/kept/disk.qcow2' },
    },
    {
      type: 'iso',
      form: 'none',
      reference: null,
      digest: null,
      verified: false,
      updateFrom: `${S}:latest`,
      file: null,
    },
  ],
  inputs: null,
  stages: [],
  failure: null,
  approval: { by: 'bob', at: '2026-01-01T00:00:00.000Z', comment: '' },
};

test.each([
  [`${S}/diskimage-qcow2`, 'quay.io/acme/production/camera', 'quay.io/acme/production/camera/diskimage-qcow2'],
  [`${S}-qcow2`, 'quay.io/prod/camera', 'quay.io/prod/camera-qcow2'],
  ['quay.io/acme/all-disks', 'quay.io/prod/camera', 'quay.io/acme/all-disks'],
  [S, S, S],
])('%s for %s is %s', (repository, target, expected) => {
  expect(counterpart(repository, S, target)).toBe(expected);
});

test('the disks that were published are copied, then the image', () => {
  const target = { repository: 'quay.io/prod/camera', tag: 'stable' };
  expect(promotedItems(record, source, target)).toEqual({
    ok: true,
    items: [
      {
        subject: 'qcow2',
        digest: digestOf('qcow2'),
        from: { repository: `${S}/diskimage-qcow2`, tag: 'v1' },
        to: { repository: 'quay.io/prod/camera/diskimage-qcow2', tag: 'stable' },
      },
      { subject: 'image', digest: digestOf('image'), from: source, to: target },
    ],
  });
});

test.each([
  ['an image without a digest', { ...record, image: { ...record.image, digest: null } }, /names no complete image/],
  [
    'two disks in one repository',
    { ...record, disks: [record.disks[0]!, { ...record.disks[0]!, type: 'vmdk' as const }] },
    /would both be .*diskimage-qcow2/,
  ],
])('%s cannot be promoted', (_, wrong, problem) => {
  expect(promotedItems(wrong, source, { repository: S, tag: 'stable' })).toEqual({
    ok: false,
    problem: expect.stringMatching(problem),
  });
});

test('the record says the new names and where they come from; an earlier approval was for the old ones', () => {
  const target = { repository: S, tag: 'stable' };
  const planned = promotedItems(record, source, target);
  const plan: PromotionPlan = {
    sourceKey: 'release',
    key: 'release',
    record: digestOf('record'),
    recordRepository: `${S}/release`,
    madeBy: record.release,
    made: null,
    approval: false,
    items: planned.ok ? planned.items : [],
  };
  const request = {
    schemaVersion: 1 as const,
    source,
    recordRepository: `${S}/release`,
    target,
    key: null,
    allowOlder: false,
    by: 'ann',
    comment: 'good',
    timing: timingWith(),
  };
  const at = '2026-01-02T00:00:00.000Z';
  const promoted = promotedRecord(record, { request, plan, at, approval: null });
  expect(ReleaseRecord.parse(promoted)).toEqual(promoted);
  expect(promoted).toMatchObject({
    release: record.release,
    image: { reference: `${S}:stable`, digest: digestOf('image') },
    disks: [
      // The builder wrote it into the disk.
      { reference: `${S}/diskimage-qcow2:stable`, updateFrom: `${S}:latest`, file: { path: null } },
      { reference: null },
    ],
    promotion: { source: `${S}:v1`, record: digestOf('record'), at, by: 'ann', comment: 'good' },
  });
  expect(promoted.approval).toBeUndefined();
  // They are of devices that follow another name.
  expect(promoted.image.updates).toBeUndefined();
  // A rollback moves disks with the name only where they have it.
  expect(diskMoves(promoted, S, 'stable')).toEqual([
    { repository: `${S}/diskimage-qcow2`, tag: 'stable', digest: digestOf('qcow2'), expected: { leftBy: S } },
  ]);
  expect(diskMoves(record, S, 'stable')).toEqual([]);
});

test.each([
  [`promote/${S}:v1`, `${S}:v1`],
  [`release/${S}:v1`, undefined],
  [`${S}:v1`, undefined],
  ['promote/nothing', undefined],
  [`promote/${S}@${digestOf('x')}`, undefined],
])('%s names the promotion to %s', (text, target) => {
  expect(promotionTarget(text)).toBe(target);
});

test('a promotion that waits says for what, and what to do', () => {
  const lines = renderPromotion(
    {
      schemaVersion: 1,
      promotion: `promote/${S}:stable`,
      runId: 'run',
      status: 'held',
      source: `${S}:v1`,
      target: `${S}:stable`,
      key: 'release',
      step: 'waiting for approval',
      items: [
        { subject: 'image', reference: `${S}:stable`, digest: digestOf('image'), verified: false, mounted: null },
      ],
      record: null,
      approval: null,
      failure: {
        kind: 'approval-needed',
        message: 'it waits',
        remedy: { action: '`flightline approve RELEASE`', then: null },
        stage: 'tag',
        log: null,
      },
    },
    false,
  );
  expect(lines).toEqual([
    `${S}:stable held: from ${S}:v1`,
    '  image',
    `    for ${S}:stable`,
    `    ${digestOf('image')}`,
    '  it waits',
    `  what to do: \`flightline approve ${S}:stable\``,
  ]);
});

test('a history shows the newest first, and no colours of a person’s own', () => {
  const entry = {
    kind: 'promotion' as const,
    digest: digestOf('a'),
    record: null,
    release: `release/${S}:v1`,
    made: null,
    at: '2026-01-01T00:00:00.000Z',
    by: 'ann',
    why: 'promoted',
  };
  const lines = renderHistory(
    {
      repository: S,
      tag: 'stable',
      entries: [entry, { ...entry, kind: 'rollback', digest: digestOf('b'), why: '\u001b[31mbad', by: 'bob' }],
    },
    false,
    undefined,
  );
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(new RegExp(`${digestOf('b').slice(0, 19)} .*${S}:v1 .*rolled back: bad .*bob$`));
  expect(lines[2]).toMatch(/promoted +ann$/);
});
