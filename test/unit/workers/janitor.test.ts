import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimLease, confirmLease, returnSlot } from '../../../activities/host/leases.ts';
import { readLeaseFiles } from '../../../activities/host/lease-files.ts';
import { lookForAbandoned } from '../../../activities/sweep/abandoned.ts';
import { temporaryHost } from '../../support/host.ts';

const LIFETIME = 120_000;
const RELEASE = 'release/r.example/camera:1';
const space = () => Promise.resolve({ free: 1e12, total: 1e12 });

let host: Awaited<ReturnType<typeof temporaryHost>>;
let granted: Date;
const after = (milliseconds: number) => new Date(granted.getTime() + milliseconds);

beforeEach(async () => {
  host = await temporaryHost();
  granted = new Date();
  const requestedAt = granted.toISOString();
  const claim = { release: RELEASE, runId: 'run', branch: 'qcow2', slot: 'disk', space: 1000 } as const;
  const timing = { leaseLifetime: LIFETIME };
  await claimLease(host, { ...claim, requestedAt, seenUntil: requestedAt }, timing, space, granted);
});
const use = () => confirmLease(host, RELEASE, 'qcow2');
afterEach(() => host.remove());

describe('the look for releases that went on without this host', () => {
  it('asks about a release only when its lease has lapsed, and finds one that is closed', async () => {
    await use();
    const asked: string[] = [];
    const look = lookForAbandoned(host, (release) => {
      asked.push(release);
      return Promise.resolve(false);
    });
    expect(await look(after(LIFETIME - 1_000))).toBe(false);
    expect(asked).toEqual([]);
    expect(await look(after(LIFETIME + 5_000))).toBe(true);
    expect(asked).toEqual([RELEASE]);
  });

  it('also when the slot was given back: the release was between two activities', async () => {
    await use();
    await returnSlot(host, RELEASE, 'qcow2');
    const look = lookForAbandoned(host, () => Promise.resolve(false));
    expect(await look(after(2 * LIFETIME))).toBe(true);
  });

  it('asks about an open one again after a lifetime only', async () => {
    await use();
    let asked = 0;
    const look = lookForAbandoned(host, () => Promise.resolve(Boolean((asked += 1))));
    expect(await look(after(2 * LIFETIME))).toBe(false);
    expect(await look(after(2 * LIFETIME + 5_000))).toBe(false);
    expect(asked).toBe(1);
    expect(await look(after(3 * LIFETIME))).toBe(false);
    expect(asked).toBe(2);
  });

  it('removes one that nobody came for without asking anybody', async () => {
    const look = lookForAbandoned(host, () => Promise.reject(new Error('no server')));
    expect(await look(after(LIFETIME - 1_000))).toBe(false);
    expect((await readLeaseFiles(host)).leases).toHaveLength(1);
    expect(await look(after(LIFETIME + 1_000))).toBe(false);
    expect((await readLeaseFiles(host)).leases).toEqual([]);
  });

  it('forgets a claim that another host has granted', async () => {
    const claim = { release: 'release/r.example/other:1', runId: 'run', branch: 'image', slot: 'disk' } as const;
    const waiting = { ...claim, space: 1, requestedAt: granted.toISOString(), seenUntil: after(5_000).toISOString() };
    await claimLease(host, waiting, { leaseLifetime: LIFETIME }, space, granted);
    const look = lookForAbandoned(host, () => Promise.resolve(true));
    await look(after(4_000));
    expect((await readLeaseFiles(host)).requests).toHaveLength(1);
    await look(after(6_000));
    expect((await readLeaseFiles(host)).requests).toEqual([]);
  });

  it('says nothing when the server cannot say', async () => {
    await use();
    const look = lookForAbandoned(host, () => Promise.reject(new Error('no server')));
    await expect(look(after(2 * LIFETIME))).rejects.toThrow('no server');
  });
});
