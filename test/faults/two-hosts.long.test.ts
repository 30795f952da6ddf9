/**
 * Two build hosts: a disk that fills up, a host that freezes between two activities, and a lease that nobody waits for.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { closedGate } from '../support/gate.ts';
import { mountsOf } from '../support/second-host.ts';
import { openTwoHosts, type TwoHosts } from '../support/two-hosts.ts';
import { storedManifests } from '../support/registry.ts';
import { eventually } from '../support/wait.ts';

const GIB = 1024 ** 3;
/** As large as a builder run is expected to need, and more; what is not written costs nothing. */
const WORK_SIZE = 16 * GIB;
const STORAGE_SIZE = 16 * GIB;

let site: TwoHosts;
beforeAll(async () => {
  site = await openTwoHosts({ workSize: WORK_SIZE, storageSize: STORAGE_SIZE });
});
afterAll(() => site?.end());
afterEach(() => site.hostA.stop());

describe('a host whose disk is full in the middle of a disk build', () => {
  it('gives the disk to another host, and nothing half-written stays', async () => {
    const { hostA, hostB } = site;
    const full = await site.project({ name: 'full', lines: [site.pace(8)], disks: [{ type: 'qcow2' }] });
    const release = site.run(full);
    await site.runningBuilder(hostB);
    await hostA.start();
    await hostB.resize('work');
    let record;
    try {
      record = await release.released();
      expect(site.diskHost(record, 'qcow2')).toBe('host-a');
      await site.expectPublished(record);
      expect(await hostB.diskBuildLogs(record.release), 'it was tried there').toEqual(['disk-build-qcow2.log']);
    } finally {
      await hostB.resize('work', WORK_SIZE);
    }
    await eventually('the full host is clean', async () => (await hostB.leftOvers()).length === 0 || undefined);
    expect(await hostA.leftOvers()).toEqual([]);
  });
});

describe('a host whose podman storage is full in the middle of an image build', () => {
  it('gives the build to another host, and leaves nothing of its own', async () => {
    const { hostA, hostB } = site;
    const gate = await closedGate();
    const lines = [gate.line, 'RUN head -c 64M /dev/urandom > /usr/share/large'];
    const full = await site.project({ name: 'storage', lines });
    const release = site.run(full);
    await eventually('the build waits', async () => (await gate.isReached()) || undefined);
    await hostA.start();
    await hostB.resize('storage');
    try {
      await gate.open();
      const record = await release.released();
      const build = record.stages.find(({ name }) => name === 'build')!;
      expect(build).toMatchObject({ host: 'host-a', attempts: 2 });
      await site.expectPublished(record);
    } finally {
      gate.close();
      await hostB.resize('storage', STORAGE_SIZE);
    }
    await eventually('the full host is clean', async () => (await hostB.leftOvers()).length === 0 || undefined);
    expect(await mountsOf(hostB)).toEqual([]);
    expect(await hostA.leftOvers()).toEqual([]);
  });
});

describe('a host that freezes between two activities', () => {
  it('is noticed and replaced; back again, it changes nothing', async () => {
    const { hostA, hostB, stack, releases } = site;
    const between = await site.project({ name: 'between', lines: [site.pace(3)], disks: [{ type: 'qcow2' }] });
    const release = site.run(between);
    await site.runningBuilder(hostB);
    // Nobody decides what comes next while the disk build ends.
    const control = stack.pidOf('control');
    process.kill(control, 'SIGSTOP');
    let thaw: () => void;
    let frozenAt: number;
    try {
      await eventually('the disk build has ended', async () => {
        const idle = (await hostB.leftOvers()).every((one) => !/^(?:container|attempts)/.test(one));
        return idle || undefined;
      });
      await hostA.start();
      thaw = await hostB.freeze();
      frozenAt = Date.now();
    } finally {
      process.kill(control, 'SIGCONT');
    }
    let record;
    let stored: string[];
    try {
      await site.runningBuilder(hostA);
      expect(Date.now() - frozenAt, 'ms until another host builds').toBeLessThan(60_000);
      record = await release.released();
      expect(site.diskHost(record, 'qcow2')).toBe('host-a');
      await site.expectPublished(record);
      stored = await storedManifests(stack.registryLog);
    } finally {
      thaw();
    }
    await eventually(
      'the host that came back is clean',
      async () => (await hostB.leftOvers()).length === 0 || undefined,
    );
    expect(await storedManifests(stack.registryLog)).toEqual(stored);
    expect(await releases.isOpen(between.release)).toBe(false);
    expect(await hostA.leftOvers()).toEqual([]);
  });
});

describe('a lease that was granted to a claim that nobody waits for any more', () => {
  it('is free again within its lifetime', async () => {
    const { hostB, releases } = site;
    const given = await site.project({ name: 'given-up', lines: ['LABEL which=given-up'] });
    const thaw = await hostB.freeze();
    const cancelled = site.run(given);
    try {
      await eventually('it has begun', async () => (await releases.isOpen(given.release)) || undefined);
      await eventually('it asks for a host', async () => {
        const asks = (await releases.pending(given.release)).includes('claim');
        return asks || undefined;
      });
      await releases.cancel(given.release);
      await eventually('it is cancelled', async () => ((await releases.isOpen(given.release)) ? undefined : true));
    } finally {
      thaw();
    }
    await cancelled.ended();
    const granted = await eventually('the late claim is granted a lease', async () => {
      const leases = (await hostB.leftOvers()).filter((one) => one.startsWith('leases/'));
      return leases[0];
    });
    const lease = JSON.parse(await readFile(join(hostB.work, granted), 'utf8')) as { confirmedAt: string | null };
    expect(lease.confirmedAt).toBeNull();
    const grantedAt = Date.now();
    const next = site.run(await site.project({ name: 'next', lines: ['LABEL which=next'] }));
    const record = await next.released();
    const build = record.stages.find(({ name }) => name === 'build')!;
    expect(Date.parse(build.startedAt!) - grantedAt).toBeLessThan(site.timing.leaseLifetime! + 10_000);
    await eventually('the lapsed lease is gone', async () => (await hostB.leftOvers()).length === 0 || undefined);
  });
});
