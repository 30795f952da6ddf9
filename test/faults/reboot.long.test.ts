/** A build host that reboots: podman's containers are still there, and none of them runs. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RELEASE_LABEL, INSTALLATION_LABEL } from '../../model/oci/labels.ts';
import { releaseId } from '../../model/oci/reference.ts';
import { installationOf } from '../support/host-state.ts';
import { mountsOf } from '../support/second-host.ts';
import { openTwoHosts, type TwoHosts } from '../support/two-hosts.ts';
import { eventually } from '../support/wait.ts';

let site: TwoHosts;
beforeAll(async () => {
  site = await openTwoHosts();
});
afterAll(() => site?.end());

it('begins a disk build again that stood still, and clears up what dead releases left', async () => {
  const { hostB } = site;
  const project = await site.project({ name: 'reboot', lines: [site.pace(8)], disks: [{ type: 'qcow2' }] });
  const release = site.run(project);
  const before = await site.runningBuilder(hostB);
  // A container that was made and never started, of a release that nobody knows.
  const dead = releaseId(`${site.stack.registry}/test/dead`, 'v1');
  const labels = { [INSTALLATION_LABEL]: await installationOf(hostB), [RELEASE_LABEL]: dead };
  const flags = Object.entries(labels).map(([label, value]) => `--label=${label}=${value}`);
  const [image] = (await hostB.podman(['images', '--quiet', '--no-trunc'])).split('\n');
  await hostB.podman(['create', '--name=never-started', '--pull=never', ...flags, image!, 'true']);
  await hostB.reboot();
  const record = await release.released();
  expect(site.diskHost(record, 'qcow2')).toBe('host-b');
  await site.expectPublished(record);
  // Podman's list of events is in memory too: what is there came after the reboot.
  const events = ['events', '--stream=false', '--since=30m', '--filter=event=create', '--filter=type=container'];
  const created = (await hostB.podman([...events, '--format={{.ID}}'])).split('\n').filter((id) => id !== '');
  expect(created, 'builders that ran').toHaveLength(1);
  expect(created).not.toContain(before);
  expect((await hostB.containers()).map(({ name, state }) => `${name} ${state}`)).toEqual(['never-started created']);
  // The first sweep after a start waits some minutes for releases that come back to what they left here.
  await eventually('the janitor has cleared up', async () => (await hostB.leftOvers()).length === 0 || undefined, {
    timeout: 300_000,
    interval: 3_000,
  });
  expect(await mountsOf(hostB)).toEqual([]);
});
