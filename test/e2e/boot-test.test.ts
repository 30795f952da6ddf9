/** A boot test on the real QEMU: a disk that does not come up fails its release before any tag moves. */
import { readFile } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { bootMachines, leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { tagsOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';

const stack = sharedStack();
const { environment } = stack;
const projects: Project[] = [];
afterAll(async () => {
  for (const project of projects) await project.remove();
});

async function projectWith(name: string, bootTest: object): Promise<Project> {
  const disks = [{ type: 'qcow2', publish: 'container-disk' }];
  const made = await makeProject({ registry: stack.registry, name, disks, spec: { bootTest } });
  projects.push(made);
  return made;
}

async function expectNothingLeft(): Promise<void> {
  expect(await leftOvers(stack)).toEqual([]);
  expect(await bootMachines(stack)).toEqual([]);
}

describe('a disk whose line never appears', () => {
  it('fails the release with the console in the failure; no tag has moved, nothing is published', async () => {
    const project = await projectWith('does-not-boot', { disk: 'qcow2', expect: 'never printed', timeout: '25s' });
    const outcome = await runFlightline(['run', project.spec, '--json'], { environment });
    expect(outcome.exitCode).toBe(1);
    const record = recordFrom(outcome);
    expect(record).toMatchObject({ status: 'failed', failure: { kind: 'boot-test', stage: 'boot-test' } });
    const { message, log } = record.failure!;
    expect(message).toMatch(/^"never printed" did not appear on the serial console of the qcow2 disk within 25s/);
    // The firmware speaks first, then the kernel.
    expect(message).toMatch(/BdsDxe|Linux version|systemd|\[ {2,}\d+\.\d+\]/);
    expect(log!.path).toMatch(/boot-test-qcow2\.log$/);
    const console = await readFile(log!.path, 'utf8');
    expect(console.length).toBeGreaterThan(message.length - 500);
    expect((await tagsOf(project.repository)).filter((tag) => !tag.endsWith('.sig'))).toEqual([]);
    expect(await tagsOf(`${project.repository}/diskimage-qcow2`)).toEqual([]);
    expect(record.stages.find(({ name }) => name === 'publish')).toMatchObject({ status: 'skipped' });
    await expectNothingLeft();
  });
});
