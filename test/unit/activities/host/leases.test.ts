import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LeaseRequest } from '../../../../activities/host/lease-decision.ts';
import {
  claimLease,
  confirmLease,
  forgetRequest,
  keepLease,
  releaseLeases,
  renewLeases,
  returnSlot,
} from '../../../../activities/host/leases.ts';
import { readLeaseFiles } from '../../../../activities/host/lease-files.ts';
import { temporaryHost } from '../../../support/host.ts';

const space = () => Promise.resolve({ free: 1e12, total: 1e12 });
const timing = { leaseLifetime: 120_000 };
const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, seconds));

const claim = (name: string, more: Partial<LeaseRequest> = {}): LeaseRequest => ({
  release: `release/r.example/${name}:1`,
  runId: `run-${name}`,
  branch: 'qcow2',
  slot: 'disk',
  space: 1000,
  requestedAt: at(0).toISOString(),
  seenUntil: at(15).toISOString(),
  ...more,
});

let host: Awaited<ReturnType<typeof temporaryHost>>;
beforeEach(async () => {
  host = await temporaryHost();
});
afterEach(() => host.remove());

describe('leases', () => {
  it('grants, refuses and grants again when the slot is given back', async () => {
    const [a, b] = [claim('a'), claim('b')];
    expect(await claimLease(host, a, timing, space, at(1))).toEqual({ granted: true });
    expect(await claimLease(host, a, timing, space, at(2))).toEqual({ granted: true });
    expect(await claimLease(host, b, timing, space, at(2))).toMatchObject({ granted: false, kind: 'no-slot' });
    expect((await readLeaseFiles(host)).requests).toEqual([b]);
    expect(await returnSlot(host, a.release, a.branch)).toBe(true);
    expect(await claimLease(host, b, timing, space, at(3))).toEqual({ granted: true });
    const files = await readLeaseFiles(host);
    const slots = new Map(files.leases.map((lease) => [lease.release, [lease.slot, lease.space]]));
    expect(slots).toEqual(
      new Map([
        [a.release, [null, 1000]],
        [b.release, ['disk', 1000]],
      ]),
    );
    expect(files.requests).toEqual([]);
    for (const name of await readdir(host.work.leases)) {
      expect((await stat(join(host.work.leases, name))).mode & 0o777).toBe(0o600);
    }
  });

  it('serves of many claims at once exactly one, the others wait in order of age', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const claims = names.map((name, index) => claim(name, { requestedAt: at(-index).toISOString() }));
    const decisions = await Promise.all(claims.map((one) => claimLease(host, one, timing, space, at(1))));
    expect(decisions.map((decision) => decision.granted)).toEqual([true, false, false, false]);
    await returnSlot(host, claims[0]!.release, 'qcow2');
    const again = await Promise.all(claims.slice(1).map((one) => claimLease(host, one, timing, space, at(2))));
    expect(again.map((decision) => decision.granted)).toEqual([false, false, true]);
  });

  it('forgets a waiting claim that is not repeated, or whose branch may not come here', async () => {
    await claimLease(host, claim('a'), timing, space, at(1));
    await claimLease(host, claim('b'), timing, space, at(1));
    await claimLease(host, claim('c', { requestedAt: at(1).toISOString() }), timing, space, at(1));
    await forgetRequest(host, claim('b'));
    expect((await readLeaseFiles(host)).requests.map((one) => one.runId)).toEqual(['run-c']);
    await claimLease(host, claim('d', { seenUntil: at(60).toISOString() }), timing, space, at(16));
    expect((await readLeaseFiles(host)).requests.map((one) => one.runId)).toEqual(['run-d']);
  });

  it('gives a new run of a release what its former run held', async () => {
    await claimLease(host, claim('a', { branch: 'iso' }), timing, space, at(1));
    expect(await claimLease(host, claim('a', { runId: 'run-a2' }), timing, space, at(2))).toEqual({ granted: true });
    const { leases } = await readLeaseFiles(host);
    expect(leases.map((lease) => [lease.runId, lease.branch])).toEqual([['run-a2', 'qcow2']]);
  });

  it('gives what was in use when the worker ended its time again, but not what never was', async () => {
    const [used, unused, other] = [claim('used'), claim('unused', { slot: 'build' }), claim('other')];
    await claimLease(host, used, timing, space, at(0));
    await claimLease(host, unused, timing, space, at(0));
    await confirmLease(host, used.release, used.branch);
    const later = new Date(Date.now() + 600_000);
    await renewLeases(host, later);
    const soon = new Date(later.getTime() + 60_000);
    expect(await claimLease(host, other, timing, space, soon)).toMatchObject({ granted: false, kind: 'no-slot' });
    const build = claim('build', { slot: 'build' });
    expect(await claimLease(host, build, timing, space, soon)).toEqual({ granted: true });
  });

  it('keeps a lease confirmed until told to stop', async () => {
    const one = claim('a');
    await claimLease(host, one, { leaseLifetime: 400 }, space, new Date());
    expect(await confirmLease(host, one.release, 'image')).toBe(false);
    await confirmLease(host, one.release, one.branch);
    const stop = keepLease(host, one.release, one.branch, { leaseLifetime: 400 });
    const first = (await readLeaseFiles(host)).leases[0]!.confirmedAt!;
    await sleep(350);
    await stop();
    const last = (await readLeaseFiles(host)).leases[0]!.confirmedAt!;
    expect(Date.parse(last) - Date.parse(first)).toBeGreaterThan(150);
    await sleep(250);
    expect((await readLeaseFiles(host)).leases[0]!.confirmedAt).toBe(last);
  });

  it('keeps no space for an image build that has ended', async () => {
    await claimLease(host, claim('a', { branch: 'image', slot: 'build' }), timing, space, at(1));
    await returnSlot(host, 'release/r.example/a:1', 'image');
    expect((await readLeaseFiles(host)).leases).toMatchObject([{ slot: null, space: 0 }]);
  });

  it('treats a damaged file as no lease, and says which it is', async () => {
    const one = claim('a');
    await claimLease(host, one, timing, space, at(1));
    const [name] = await readdir(host.work.leases);
    const path = join(host.work.leases, name!);
    for (const text of ['{"release":', '{"release":"x"}', '']) {
      await writeFile(path, text);
      expect(await readLeaseFiles(host)).toMatchObject({ leases: [], damaged: [path] });
      expect(await confirmLease(host, one.release, one.branch)).toBe(false);
    }
    expect(await claimLease(host, one, timing, space, at(2))).toEqual({ granted: true });
    expect(await readLeaseFiles(host)).toMatchObject({ leases: [{ release: one.release }], damaged: [] });
  });

  it('ends with everything of a release', async () => {
    const one = claim('a');
    await claimLease(host, one, timing, space, new Date());
    await claimLease(host, { ...one, branch: 'iso' }, timing, space, new Date());
    await claimLease(host, claim('b'), timing, space, new Date());
    expect(await releaseLeases(host, one.release)).toEqual(['qcow2']);
    expect((await readLeaseFiles(host)).leases.map((lease) => lease.release)).toEqual([]);
    expect((await readLeaseFiles(host)).requests.map((request) => request.runId)).toEqual(['run-b']);
  });
});
