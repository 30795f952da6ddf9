/** A host's file system that fills up in the middle of a disk build. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { builderContainers, containersCreated, leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf, tagsOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

let mount: string;
let stack: TestStack;
let project: Project;
let mounted = false;

beforeAll(async () => {
  mount = await mkdtemp(join(tmpdir(), 'flightline-small-disk-'));
  // A size that claims are content with; memory is used only for what is written.
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=64G,mode=0700', 'flightline-test', mount]);
  mounted = true;
  const started = await startTestStack({
    configure: (configuration) => ({ ...configuration, directories: { work: mount } }),
  });
  stack = { ...started, work: mount };
});
afterAll(async () => {
  await project?.remove();
  await stack?.end();
  if (mounted) await execa('umount', [mount]);
  await rm(mount, { recursive: true, force: true });
});

async function resize(size: string): Promise<void> {
  await execa('mount', ['-o', `remount,size=${size}`, mount]);
}

it('holds the branch, and builds the disk anew once there is space', async () => {
  const since = Date.now();
  project = await makeProject({
    registry: stack.registry,
    name: 'disk-full',
    lines: ['LABEL io.flightline.example.builder-seconds=5'],
    disks: [{ type: 'qcow2' }],
  });
  const { environment } = stack;
  const running = startFlightline(['run', project.spec, '--json'], { environment });
  const first = await eventually('the builder runs', async () =>
    (await builderContainers(stack)).find(({ state }) => state === 'running'),
  );
  await resize('20M');
  const result = await running;
  expect(result.exitCode, String(result.stderr)).toBe(4);
  const held = recordFrom({ exitCode: 4, stdout: String(result.stdout), stderr: '' });
  expect(held.failure).toMatchObject({ kind: 'disk-full', stage: 'disk-build' });
  expect(held.failure!.remedy.action).toContain('free space on the build host');
  expect(await builderContainers(stack)).toEqual([]);
  expect(await tagsOf(`${project.repository}/diskimage-qcow2`)).toEqual([]);

  await resize('64G');
  const retried = await runFlightline(['retry', project.release, '--json'], { environment });
  expect(retried.exitCode, retried.stderr).toBe(0);
  const record = recordFrom(retried);
  expect(await containersCreated(stack, since)).toBe(2);
  expect(first).toBeDefined();
  expect(await digestOf(record.disks[0]!.reference!)).toBe(record.disks[0]!.digest);
  expect(await digestOf(project.release)).toBe(record.image.digest);
  expect(await leftOvers(stack)).toEqual([]);
});
