/**
 * Boot tests on the real QEMU: a disk that comes up is published; one that does not fails its release before any tag
 * moves.
 */
import { createHash } from 'node:crypto';
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

describe('a disk that comes up', () => {
  it('is published after its line has appeared', async () => {
    // Without KVM the login prompt takes most of a minute: the long tests wait for it.
    const project = await projectWith('boots', { disk: 'qcow2', expect: 'Linux version', timeout: '4m' });
    const keep = ['--keep-files', `${project.directory}/kept`];
    const outcome = await runFlightline(['run', project.spec, '--json', ...keep], { environment });
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordFrom(outcome);
    const names = record.stages.map(({ name, subject }) => `${name} ${subject}`);
    expect(names.indexOf('boot-test qcow2')).toBe(names.indexOf('disk-build qcow2') + 1);
    const row = record.stages.find(({ name }) => name === 'boot-test')!;
    expect(row).toMatchObject({ status: 'done', attempts: 1 });
    const booted = Date.parse(row.startedAt!) + row.durationMs!;
    const published = record.stages.find(({ name }) => name === 'publish')!;
    expect(Date.parse(published.startedAt!)).toBeGreaterThanOrEqual(booted);
    // What the guest wrote while it ran is not in the file.
    const { file } = record.disks[0]!;
    expect(
      createHash('sha256')
        .update(await readFile(file!.path!))
        .digest('hex'),
    ).toBe(file!.sha256);
    const log = await runFlightline(['logs', project.release, 'boot-test'], { environment });
    expect(log.stdout).toContain('Linux version');
    expect(log.stdout).not.toContain(String.fromCodePoint(27));
    await expectNothingLeft();
  });
});

describe('a disk whose line never appears', () => {
  it('fails the release with the console in the failure; no tag has moved, nothing is published', async () => {
    const project = await projectWith('does-not-boot', { disk: 'qcow2', expect: 'never printed', timeout: '12s' });
    const outcome = await runFlightline(['run', project.spec, '--json'], { environment });
    expect(outcome.exitCode).toBe(1);
    const record = recordFrom(outcome);
    expect(record).toMatchObject({ status: 'failed', failure: { kind: 'boot-test', stage: 'boot-test' } });
    const { message, log } = record.failure!;
    expect(message).toMatch(/^"never printed" did not appear on the serial console of the qcow2 disk within 12s/);
    // The firmware speaks first, then the kernel.
    expect(message).toMatch(/BdsDxe|Linux version|systemd|\[ {2,}\d+\.\d+\]/);
    expect(log!.path).toMatch(/boot-test-qcow2\.log$/);
    const console = await readFile(log!.path, 'utf8');
    expect(console.length).toBeGreaterThan(message.length - 500);
    // Where KVM does not work, the worker has learned it from the disk above.
    expect(console).not.toContain('another try');
    expect((await tagsOf(project.repository)).filter((tag) => !tag.endsWith('.sig'))).toEqual([]);
    expect(await tagsOf(`${project.repository}/diskimage-qcow2`)).toEqual([]);
    expect(record.stages.find(({ name }) => name === 'publish')).toMatchObject({ status: 'skipped' });
    await expectNothingLeft();
  });
});
