import { describe, expect, it } from 'vitest';
import { unseenOnHosts, renderDryRun, type DryRun } from '../../../../client/project/plan.ts';
import { formatDuration, parseDuration } from '../../../../model/base/duration.ts';
import { digestOf, requestFor } from '../../../workflows/facts.ts';

const BASE = { reference: 'registry.example/base:1', digest: digestOf('base') };
const BUILDER = { reference: 'registry.example/builder:1', digest: digestOf('builder') };
const R = 'registry.example/acme/plan';

describe('what only a build host can see', () => {
  const unseen = (changes: Parameters<typeof requestFor>[1], base = BASE) =>
    unseenOnHosts(requestFor('plan', changes), [base]).map(({ status, detail }) => `${status} ${detail}`);

  it('is named, and is nothing for a release without secrets', () => {
    expect(unseen({})).toEqual([]);
    expect(unseen({ enrollment: { binding: 'late' } })).toEqual([]);
    const secrets = [{ id: 'token', from: 'package-token' }];
    const asked = { secrets, pullSecret: 'acme-pull', enrollment: { binding: 'early', config: 'agent' } as const };
    expect(unseen(asked)).toEqual([
      'not-run whether the build host has the secrets package-token, acme-pull, agent is seen there, before ' +
        'anything is built',
    ]);
    const rhel = { ...BASE, reference: 'registry.redhat.io/rhel9/rhel-bootc:9.5' };
    expect(unseen({ enrollment: { binding: 'early', signer: 'enrollment', days: 30 } }, rhel)).toEqual([
      'not-run whether the build host has a login to Flight Control, a login to registry.redhat.io, and a ' +
        'registration ' +
        'is seen there, before anything is built',
    ]);
  });
});

describe('a dry run', () => {
  const plan: DryRun = {
    schemaVersion: 1,
    dryRun: true,
    release: `release/${R}:v1`,
    outcome: 'release',
    image: { reference: `${R}:v1`, alsoTag: ['stable'], updateFrom: 'stable', tagPolicy: 'create', existing: null },
    disks: [{ type: 'qcow2', form: 'none', reference: null }],
    inputs: { image: digestOf('inputs'), base: [BASE], builder: BUILDER, context: digestOf('context') },
    hosts: ['host-a'],
    stages: [
      { name: 'build', subject: 'image', worker: 'build' },
      { name: 'publish', subject: 'qcow2', worker: 'build' },
    ],
    checks: [
      { name: 'signing', status: 'failed', detail: 'no key', remedy: 'make one' },
      { name: 'builder manifest qcow2', status: 'not-run', detail: 'not built yet', remedy: null },
    ],
  };

  it('is told in words', () => {
    const text = renderDryRun(plan, false).join('\n');
    expect(text).toContain(`${R}:v1  what a release would do; nothing was built, sent or kept`);
    expect(text).toContain(`base             ${BASE.reference} ${BASE.digest}`);
    expect(text).toContain('failed   signing: no key\n         make one');
    expect(text).toContain('not run  builder manifest qcow2: not built yet');
    expect(text).toContain('stages:\n  build    image  build worker\n  publish  qcow2  build worker');
  });

  it('says when nothing would be built', () => {
    const text = renderDryRun({ ...plan, outcome: 'unchanged', stages: [] }, false).join('\n');
    expect(text).toContain('nothing would be built: the same inputs were released before');
    expect(text).not.toContain('stages');
  });
});

it.each([
  ['30s', 30_000, '30s'],
  ['90s', 90_000, '90s'],
  ['300s', 300_000, '5m'],
  ['2h', 7_200_000, '2h'],
  ['5 minutes', undefined, ''],
  ['-5m', undefined, ''],
  ['1w', undefined, ''],
  ['2d', 172_800_000, '2d'],
])('reads the duration %s', (text, milliseconds, written) => {
  expect(parseDuration(text)).toBe(milliseconds);
  if (milliseconds !== undefined) expect(formatDuration(milliseconds)).toBe(written);
});
