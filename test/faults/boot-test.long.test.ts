/** Boot tests on the real QEMU: that pass, fail, lose their worker, and are cancelled. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../model/base/digest.ts';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { bootMachines, leftOvers } from '../support/host-state.ts';
import { makeProject } from '../support/project.ts';
import { tagsOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { eventually } from '../support/wait.ts';

const stack = sharedStack();
const { environment } = stack;

it('a disk comes up to its login prompt, which is what a boot test waits for, and is published then', async () => {
  const project = await makeProject({
    registry: stack.registry,
    name: 'login',
    disks: [{ type: 'qcow2', publish: 'container-disk' }],
    spec: { bootTest: { disk: 'qcow2', timeout: '4m' } },
  });
  const keep = ['--keep-files', join(project.directory, 'kept')];
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
  expect(sha256(await readFile(file!.path!))).toBe(file!.sha256);
  const log = await runFlightline(['logs', project.release, 'boot-test'], { environment });
  // The kernel may go on to speak on the same line.
  expect(log.stdout).toContain('localhost login:');
  expect(log.stdout).not.toContain(String.fromCodePoint(27));
  expect(await leftOvers(stack)).toEqual([]);
  expect(await bootMachines(stack)).toEqual([]);
  await project.remove();
});

it('a disk whose line never appears fails its release with the console, before any tag moves', async () => {
  const project = await makeProject({
    registry: stack.registry,
    name: 'does-not-boot',
    disks: [{ type: 'qcow2', publish: 'container-disk' }],
    spec: { bootTest: { disk: 'qcow2', expect: 'never printed', timeout: '25s' } },
  });
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
  expect(await leftOvers(stack)).toEqual([]);
  expect(await bootMachines(stack)).toEqual([]);
  await project.remove();
});

describe('a boot test that is interrupted', () => {
  it(
    'begins again with the next worker when its own is killed, and ends with the release that is ' + 'cancelled',
    async () => {
      const project = await makeProject({
        registry: stack.registry,
        name: 'interrupted',
        disks: [{ type: 'qcow2', publish: 'container-disk' }],
        spec: { bootTest: { disk: 'qcow2', expect: 'never printed', timeout: '10m' } },
      });
      const running = startFlightline(['run', project.spec, '--json'], { environment });
      const machine = async () => (await bootMachines(stack))[0];
      const first = await eventually('the disk boots', machine);
      process.kill(await workerPid(), 'SIGKILL');
      await eventually('another machine boots it', async () => {
        const now = await bootMachines(stack);
        return now.length === 1 && now[0] !== first ? now[0] : undefined;
      });
      const cancelled = await runFlightline(['cancel', project.release, '--json'], { environment });
      expect(cancelled.exitCode, cancelled.stderr).toBe(0);
      expect((await running).exitCode).toBe(5);
      expect(await leftOvers(stack)).toEqual([]);
      expect(await bootMachines(stack)).toEqual([]);
      await project.remove();
    },
  );
});

/** The stack's build worker, which the stack starts again by itself. */
async function workerPid(): Promise<number> {
  const { children } = JSON.parse(await readFile(join(stack.directory, 'stack.json'), 'utf8')) as {
    children: { name: string; pid: number }[];
  };
  return children.find(({ name }) => name === 'build')!.pid;
}
