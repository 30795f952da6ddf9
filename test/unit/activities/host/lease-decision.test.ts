import { describe, expect, it } from 'vitest';
import {
  decideClaim,
  isVoid,
  slotCounts,
  type Lease,
  type LeaseRequest,
} from '../../../../activities/host/lease-decision.ts';

const GiB = 1024 ** 3;
type HostState = Parameters<typeof decideClaim>[1];

const now = new Date('2026-01-01T12:00:00.000Z');
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000).toISOString();

const lease = (more: Partial<Lease> = {}): Lease => ({
  release: 'release/r.example/a:1',
  runId: 'run-a',
  branch: 'qcow2',
  slot: 'disk',
  space: 10 * GiB,
  requestedAt: ago(100),
  grantedAt: ago(90),
  confirmedAt: ago(5),
  lifetime: 120_000,
  ...more,
});
const claim = (more: Partial<LeaseRequest> = {}): LeaseRequest => ({
  release: 'release/r.example/b:1',
  runId: 'run-b',
  branch: 'qcow2',
  slot: 'disk',
  space: 10 * GiB,
  requestedAt: ago(50),
  seenUntil: new Date(now.getTime() + 15_000).toISOString(),
  ...more,
});
const host = (more: Partial<HostState> = {}): HostState => ({
  name: 'host-a',
  limits: { build: 2, disk: 1 },
  leases: [],
  requests: [],
  free: 100 * GiB,
  total: 200 * GiB,
  used: new Map(),
  draining: null,
  ...more,
});

const busy = 'host-a has 1 of 1 disk builds running (release/r.example/a:1)';
const promised = 'host-a has promised its next slot to release/r.example/0:1, which asked earlier';
const earlier = claim({ release: 'release/r.example/0:1', requestedAt: ago(60) });

describe('decideClaim', () => {
  it.each<[string, Partial<LeaseRequest>, Partial<HostState>, string]>([
    ['an idle host', {}, {}, 'granted'],
    ['a busy host', {}, { leases: [lease()] }, busy],
    ['a slot of the other kind', { slot: 'build' }, { leases: [lease()] }, 'granted'],
    ['a slot given back', {}, { leases: [lease({ slot: null })] }, 'granted'],
    ['a slot never confirmed', {}, { leases: [lease({ confirmedAt: null, grantedAt: ago(121) })] }, 'granted'],
    ['a slot not yet confirmed', {}, { leases: [lease({ confirmedAt: null, grantedAt: ago(119) })] }, busy],
    ['a slot gone silent', {}, { leases: [lease({ confirmedAt: ago(121) })] }, 'granted'],
    ['its own lease', {}, { leases: [lease({ ...claim() })] }, 'granted'],
    [
      'its own lease while an earlier claim waits',
      {},
      { leases: [lease({ ...claim() })], requests: [earlier] },
      'granted',
    ],
    ['its own slot given back, taken by another', {}, { leases: [lease({ ...claim(), slot: null }), lease()] }, busy],
    ['the lease of its former run', {}, { leases: [lease({ ...claim(), runId: 'run-old' })] }, 'granted'],
    [
      'another branch of its former run',
      {},
      { leases: [lease({ ...claim(), runId: 'run-old', branch: 'iso' })] },
      'granted',
    ],
    [
      'another branch of its own run',
      {},
      { leases: [lease({ ...claim(), branch: 'iso' })] },
      'host-a has 1 of 1 disk builds running (release/r.example/b:1)',
    ],
    ['an earlier claim', {}, { requests: [earlier] }, promised],
    ['an earlier claim that is forgotten', {}, { requests: [{ ...earlier, seenUntil: ago(1) }] }, 'granted'],
    ['an earlier claim for the other slot', {}, { requests: [{ ...earlier, slot: 'build' }] }, 'granted'],
    ['an earlier claim too large for the host', {}, { requests: [{ ...earlier, space: 101 * GiB }] }, 'granted'],
    [
      'an earlier claim that does not fit beside what a held release keeps',
      { space: 5 * GiB },
      {
        free: 120 * GiB,
        requests: [{ ...earlier, space: 60 * GiB }],
        leases: [lease({ slot: null, space: 80 * GiB })],
      },
      'granted',
    ],
    [
      'an earlier claim that fits when the running one has ended',
      { space: 5 * GiB },
      {
        free: 120 * GiB,
        limits: { build: 2, disk: 2 },
        requests: [{ ...earlier, space: 60 * GiB }],
        leases: [lease({ space: 80 * GiB })],
      },
      promised,
    ],
    ['a later claim', {}, { requests: [{ ...earlier, requestedAt: ago(40) }] }, 'granted'],
    ['a claim of the same moment', {}, { requests: [{ ...earlier, requestedAt: ago(50) }] }, promised],
    ['its own claim', {}, { requests: [claim()] }, 'granted'],
    ['an earlier claim and two slots', {}, { requests: [earlier], limits: { build: 2, disk: 2 } }, 'granted'],
    [
      'two slots taken',
      {},
      {
        limits: { build: 2, disk: 2 },
        leases: [lease(), lease({ branch: 'iso' }), lease({ release: 'release/r.example/c:1' })],
      },
      'host-a has 3 of 2 disk builds running (release/r.example/a:1, release/r.example/c:1)',
    ],
    ['a host that is being drained', {}, { draining: 'host-a is being drained' }, 'host-a is being drained'],
    [
      'its own lease on a host that is being drained',
      {},
      { leases: [lease({ ...claim() })], draining: 'host-a is being drained' },
      'granted',
    ],
    [
      'its own slot given back on a host that is being drained',
      {},
      { leases: [lease({ ...claim(), slot: null })], draining: 'host-a is being drained' },
      'host-a is being drained',
    ],
    ['no space', {}, { free: 3 * GiB }, 'host-a has 3 GiB free of the 10 GiB this needs'],
    [
      'little space',
      { space: 300 * 1024 ** 2 },
      { free: 5 * 1024 ** 2 + 1 },
      'host-a has 5 MiB free of the 300 MiB this needs',
    ],
    [
      'space promised to others',
      {},
      { free: 15 * GiB, leases: [lease({ slot: null })] },
      'host-a has 5 GiB free of the 10 GiB this needs',
    ],
    [
      'space promised to others and written',
      {},
      { free: 15 * GiB, leases: [lease({ slot: null })], used: new Map([['release/r.example/a:1', 8 * GiB]]) },
      'granted',
    ],
    [
      'space that a void lease had',
      {},
      { free: 15 * GiB, leases: [lease({ confirmedAt: null, grantedAt: ago(121) })] },
      'granted',
    ],
    [
      'its own files from before a hold',
      {},
      {
        free: 3 * GiB,
        leases: [lease({ ...claim(), slot: null })],
        used: new Map([['release/r.example/b:1', 8 * GiB]]),
      },
      'granted',
    ],
    [
      'more than the file system holds',
      { space: 201 * GiB },
      { leases: [lease()] },
      'disk-full: host-a has 200 GiB in all, and this needs 201 GiB',
    ],
  ])('%s', (_, change, state, expected) => {
    const decision = decideClaim(claim(change), host(state), now);
    const answer = decision.granted
      ? 'granted'
      : (decision.kind === 'disk-full' ? 'disk-full: ' : '') + decision.reason;
    expect(answer).toBe(expected);
  });
});

describe('void leases', () => {
  it.each<[string, Partial<Lease>, boolean, boolean]>([
    ['confirmed', {}, true, false],
    ['granted just now', { confirmedAt: null, grantedAt: ago(1) }, true, false],
    ['never confirmed', { confirmedAt: null, grantedAt: ago(121) }, false, true],
    ['silent', { confirmedAt: ago(121) }, false, false],
    ['given back', { slot: null, confirmedAt: ago(9999) }, false, false],
  ])('%s', (_, change, counts, isOver) => {
    expect([slotCounts(lease(change), now), isVoid(lease(change), now)]).toEqual([counts, isOver]);
  });
});
