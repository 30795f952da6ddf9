/** Two build hosts, and one of them frozen or lost. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storedManifests } from '../support/registry.ts';
import { openTwoHosts, type TwoHosts } from '../support/two-hosts.ts';
import { eventually } from '../support/wait.ts';

let site: TwoHosts;
beforeAll(async () => {
  site = await openTwoHosts();
});
afterAll(() => site?.end());

describe('a host that freezes in the middle of a disk build', () => {
  it('is replaced, and when it comes back its late work changes nothing and is cleaned up', async () => {
    const frozen = await site.project({ name: 'frozen', lines: [site.pace(10)], disks: [{ type: 'qcow2' }] });
    const release = site.run(frozen);
    await site.runningBuilder(site.hostB);
    await site.hostA.start();
    const thaw = await site.hostB.freeze();
    let stored: string[];
    let record;
    try {
      record = await release.released();
      expect(site.diskHost(record, 'qcow2')).toBe('host-a');
      await site.expectPublished(record);
      stored = await storedManifests(site.stack.registryLog);
    } finally {
      thaw();
    }
    await eventually('the host that came back is clean', async () => {
      return (await site.hostB.leftOvers()).length === 0 || undefined;
    });
    expect(await storedManifests(site.stack.registryLog), 'what was stored after it came back').toEqual(stored);
    await site.expectPublished(record);
    expect(await site.hostA.leftOvers()).toEqual([]);
  });
});

describe('a host that disappears for good in the middle of a disk build', () => {
  it('is noticed; another host builds only the disk that was lost', async () => {
    await site.hostA.stop();
    const lost = await site.project({
      name: 'lost',
      lines: [site.pace(8)],
      disks: [{ type: 'qcow2' }, { type: 'iso' }],
    });
    const release = site.run(lost);
    const [done, open] = await eventually('one of the disks is published', async () => {
      const finished = await site.releases.finishedRuns(lost.release, ['iso', 'qcow2']);
      return finished.length === 1 ? [finished[0]!, finished[0] === 'iso' ? 'qcow2' : 'iso'] : undefined;
    });
    const before = (await site.releases.runResult(lost.release, done!)).disks[0]!.digest;
    await site.runningBuilder(site.hostB);
    await site.hostA.start();
    const lostAt = Date.now();
    await site.hostB.lose();
    await site.runningBuilder(site.hostA);
    expect(Date.now() - lostAt, 'ms until another host builds').toBeLessThan(60_000);
    const record = await release.released();
    expect(site.diskHost(record, done!)).toBe('host-b');
    expect(site.diskHost(record, open!)).toBe('host-a');
    expect(record.disks.find(({ type }) => type === done)!.digest).toBe(before);
    expect(await site.hostA.diskBuildLogs(record.release)).toEqual([`disk-build-${open}.log`]);
    await site.expectPublished(record);
    expect(await site.hostA.leftOvers()).toEqual([]);
  });

  it('is cleaned by its own janitor should it ever come back', async () => {
    expect(await site.hostB.leftOvers()).not.toEqual([]);
    await site.hostB.start();
    await eventually('its janitor has looked', async () => (await site.hostB.leftOvers()).length === 0 || undefined);
  });
});
