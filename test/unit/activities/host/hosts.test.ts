/** `flightline hosts`: which machines there are, what one says of itself, and how it is shown. */
import { describe, expect, test } from 'vitest';
import { workOf } from '../../../../activities/host/host-work.ts';
import type { Lease, LeaseRequest } from '../../../../activities/host/lease-decision.ts';
import { renderHosts } from '../../../../client/view/hosts.ts';
import { MAX_LISTED, type HostStatus, type ListedHost, machinesOf } from '../../../../model/contract/host-status.ts';
import { workerOfIdentity } from '../../../../model/contract/queue.ts';
import { WorkerConfiguration } from '../../../../model/spec/worker-configuration.ts';

const NOW = new Date('2026-11-23T12:00:00.000Z');
const ago = (milliseconds: number) => new Date(NOW.getTime() - milliseconds).toISOString();

test.each([
  ['flightline-build@host-a/0.2.0', { role: 'build', host: 'host-a', version: '0.2.0' }],
  ['flightline-sign@host-a/0.2.0', { role: 'sign', host: 'host-a', version: '0.2.0' }],
  ['flightline-control@a.example/0.2.0', { role: 'control', host: 'a.example', version: '0.2.0' }],
  ['flightline-build@/0.2.0', undefined],
  ['flightline-cook@host-a/0.2.0', undefined],
  ['flightline-build@host-a', undefined],
  ['1234@laptop', undefined],
])('the worker %s', (identity, worker) => expect(workerOfIdentity(identity)).toEqual(worker));

test('machines are those that poll, and build hosts that releases are on', () => {
  const workers = [
    { role: 'control', host: 'one', version: '0.2.0', lastSeen: ago(60_000) },
    { role: 'sign', host: 'one', version: '0.1.0', lastSeen: ago(2_000) },
    { role: 'build', host: 'host-a', version: '0.2.0', lastSeen: null },
  ] as const;
  expect(machinesOf(workers, ['host-a', 'gone'])).toEqual([
    { host: 'gone', roles: ['build'], lastSeen: null, versions: [] },
    { host: 'host-a', roles: ['build'], lastSeen: null, versions: ['0.2.0'] },
    { host: 'one', roles: ['control', 'sign'], lastSeen: ago(2_000), versions: ['0.1.0', '0.2.0'] },
  ]);
});

const lease = (branch: string, more: Partial<Lease> = {}): Lease => ({
  release: 'release/quay.io/acme/edge:v1',
  runId: 'r',
  branch,
  slot: 'build',
  space: 1,
  requestedAt: ago(9_000),
  grantedAt: ago(9_000),
  confirmedAt: ago(1_000),
  lifetime: 120_000,
  ...more,
});
const request = (branch: string, seenUntil: string): LeaseRequest => {
  const { release, runId, space, requestedAt } = lease(branch);
  return { release, runId, branch, slot: 'disk', space, requestedAt, seenUntil };
};

describe('what a host says', () => {
  const host = { name: 'host-a', configuration: WorkerConfiguration.parse({}) };
  const activity = (name: string, taskQueue: string) => ({ name, taskQueue, workflow: 'release/x', since: ago(500) });

  test('counts slots by leases and transfers by what runs here', () => {
    const leases = [
      lease('image'),
      lease('qcow2', { slot: 'disk' }),
      lease('iso', { slot: null }),
      lease('lapsed', { confirmedAt: ago(500_000), grantedAt: ago(500_000) }),
      lease('never used', { confirmedAt: null, grantedAt: ago(500_000) }),
    ];
    const activities = [
      activity('build', 'flightline-host-host-a-build'),
      activity('push', 'flightline-host-host-a-transfer'),
      activity('host-status', 'flightline-host-host-a-short'),
      activity('sign', 'flightline-sign'),
    ];
    const requests = [request('vmdk', ago(-5_000)), request('forgotten', ago(5_000))];
    const work = workOf(host, { leases, requests }, activities, NOW);
    expect(work.slots).toEqual({
      build: { used: 1, limit: 2 },
      disk: { used: 1, limit: 1 },
      transfer: { used: 1, limit: 2 },
    });
    expect(work.leases.map(({ branch, slot }) => [branch, slot])).toEqual([
      ['image', 'build'],
      ['qcow2', 'disk'],
      ['iso', null],
      ['lapsed', null],
    ]);
    expect(work.waiting.map(({ branch }) => branch)).toEqual(['vmdk']);
    expect(work.running.map(({ stage }) => stage)).toEqual(['build', 'push']);
  });

  test('fits in a payload whatever there is', () => {
    const release = `release/registry.example.com/${'long/'.repeat(20)}name:2026-11-23-0123456789ab`;
    const leases = Array.from({ length: 50 }, (_, index) => lease(`qcow2+vmdk ${index}`, { release }));
    const activities = Array.from({ length: 50 }, () => ({
      ...activity('disk-build', 'flightline-host-host-a-disk'),
      workflow: `${release}/disks/qcow2+vmdk`,
    }));
    const requests = leases.map(({ branch }) => ({ ...request(branch, ago(-5_000)), release }));
    const work = workOf(host, { leases, requests }, activities, NOW);
    expect(work.leases).toHaveLength(MAX_LISTED);
    expect(JSON.stringify(work).length).toBeLessThan(9_000);
  });
});

describe('the list', () => {
  const status: Omit<HostStatus, 'host'> = {
    architecture: 'amd64',
    architectures: ['amd64', 'arm64'],
    version: '1.2.3',
    startedAt: ago(3_600_000),
    draining: { since: ago(60_000), comment: 'new kernel' },
    slots: { build: { used: 1, limit: 2 }, disk: { used: 0, limit: 1 }, transfer: { used: 0, limit: 2 } },
    disk: { free: 21e9, total: 100e9 },
    leases: [{ release: 'release/quay.io/acme/edge:v1', branch: 'image', slot: 'build' }],
    waiting: [{ release: 'release/quay.io/acme/edge:v2', branch: 'image', slot: 'build' }],
    running: [],
    containers: ['flightline-0123456789ab'],
  };
  const listed: ListedHost[] = [
    { host: 'host-a', roles: ['build', 'sign'], state: 'answers', lastSeen: ago(0), versions: ['1.2.3'], status },
    { host: 'host-b', roles: ['build'], state: 'silent', lastSeen: ago(125_000), versions: [], status: null },
    { host: 'one', roles: ['control'], state: 'polls', lastSeen: ago(30_000), versions: ['1.2.2'], status: null },
    { host: 'gone', roles: ['sign'], state: 'silent', lastSeen: ago(125_000), versions: [], status: null },
    { host: 'old', roles: ['build'], state: 'silent', lastSeen: null, versions: [], status: null },
  ];

  test('shows each host, then what it does', () => {
    expect(renderHosts(listed, { colour: false, columns: undefined, now: NOW.getTime() })).toEqual([
      'HOST    ROLES        STATE    BUILDS FOR    BUILD  DISK  TRANSFER  FREE             VERSION  LAST SEEN',
      'host-a  build, sign  answers  amd64, arm64  1/2    0/1   0/2       21 GB of 100 GB  1.2.3    now',
      'host-b  build        silent                                                                  2:05 ago',
      'one     control      polls                                                          1.2.2    30 s ago',
      'gone    sign         silent                                                                  2:05 ago',
      'old     build        silent                                                                  minutes ago',
      '',
      'host-a: is being drained (new kernel)',
      'host-a: has a build slot for image of quay.io/acme/edge:v1',
      'host-a: image of quay.io/acme/edge:v2 waits for a build slot',
      'host-a: container flightline-0123456789ab',
      'host-b: does not answer: its build worker is not running, or the host is away',
      'gone: does not ask for work: its sign worker is not running, or the machine is away',
      'old: does not answer: its build worker is not running, or the host is away',
    ]);
  });

  test('says what to do when there is none', () =>
    expect(renderHosts([], { colour: false, columns: undefined, now: 0 })[0]).toContain('flightline worker'));
});
