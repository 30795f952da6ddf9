/** Cancels a release in a given stage, and looks at what is left of it. */
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { releaseKey } from '../../model/release/inputs.ts';
import { releaseId } from '../../model/oci/reference.ts';
import type { FaultProxy, FaultRule } from '../support/fault-proxy.ts';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { buildProcesses, leftOvers, podman, workingContainers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { startProxiedStack } from '../support/proxied-stack.ts';
import { tagsOf } from '../support/registry.ts';
import type { TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

/** Longest time (ms) from the word to the end of the clean-up: what is cancelled would go on for longer. */
const WITHIN = 120_000;

/** When a release is cancelled. */
export interface Cancellation {
  stage: string;
  /** The stage stops at this request, so that the word reaches it there. */
  at?: FaultRule;
  /** Instead of a request: something is there. */
  until?: (stack: TestStack) => Promise<boolean>;
  /** Of the Containerfile. */
  lines?: string[];
  disks?: { type: string; compress?: string }[];
  /** The tag has been moved by then, and the record says so. */
  moved?: boolean;
}

/** Declares a test for each case, on one stack. */
export function testCancellations(cases: readonly Cancellation[]): void {
  let stack: TestStack;
  let proxy: FaultProxy;
  let end: () => Promise<void>;
  beforeAll(async () => {
    ({ stack, proxy, end } = await startProxiedStack());
  });
  afterAll(() => end?.());

  test.each(cases)('during $stage', async ({ stage, at, until, lines, disks, moved }) => {
    const name = `cancel-${stage}`;
    const project = await makeProject({ registry: proxy.address, name, lines: lines ?? [], disks: disks ?? [] });
    const { environment } = stack;
    const fault = at && proxy.inject(at);
    try {
      const running = startFlightline(['run', project.spec, '--json'], { environment });
      await eventually(`${stage} is under way`, async () =>
        (until ? await until(stack) : fault!.hits > 0) ? true : undefined,
      );
      const begin = Date.now();
      const cancelled = await runFlightline(['cancel', project.release, '--json'], { environment });
      expect(cancelled.exitCode, cancelled.stderr).toBe(0);
      expect(Date.now() - begin, 'milliseconds until it was cleaned up').toBeLessThan(WITHIN);
      const record = recordFrom(cancelled);
      expect(record.status).toBe('cancelled');
      const statuses = record.stages.map(({ status }) => status);
      expect(statuses).toContain('cancelled');
      expect(statuses).not.toContain('running');
      const told = `cancelled when these tags had been moved: ${project.release}`;
      expect(record.failure?.message === told).toBe(moved === true);
      expect((await running).exitCode).toBe(5);
      expect(await leftOvers(stack)).toEqual([]);
      expect(await buildProcesses(stack)).toEqual([]);
      expect(await workingContainers(stack)).toEqual([]);
      expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(stack.work);
      expect(await namesOfImages(stack, project.release)).toEqual([]);
    } finally {
      fault?.lift();
    }
    if (moved) await followRemedy(project, environment);
    const path = project.repository.slice(proxy.address.length + 1);
    expect((await tagsOf(`${stack.registry}/${path}`)).includes('v1')).toBe(moved === true);
    for (const { type } of disks ?? []) {
      expect(await tagsOf(`${stack.registry}/${path}/diskimage-${type}`)).not.toContain('v1');
    }
    await project.remove();
  });
}

/** `create` moves no tag that stands: the remedy is to delete it, and to start again. */
async function followRemedy({ spec, release }: Project, environment: Record<string, string>): Promise<void> {
  const again = () => runFlightline(['run', spec, '--json'], { environment });
  expect(recordFrom(await again()).failure?.kind).toBe('tag-exists');
  await execa('skopeo', ['delete', '--tls-verify=false', `docker://${release}`]);
  const { exitCode, stderr } = await again();
  expect(exitCode, stderr).toBe(0);
}

/** Names of images in the host's storage that belong to a release. */
async function namesOfImages(stack: TestStack, release: string): Promise<string[]> {
  const [repository, tag] = [release.slice(0, release.lastIndexOf(':')), release.slice(release.lastIndexOf(':') + 1)];
  const key = releaseKey(releaseId(repository, tag));
  const names = await podman(stack, ['images', '--all', '--format', '{{.Repository}}:{{.Tag}}']);
  return names.split('\n').filter((name) => name.includes(key));
}
