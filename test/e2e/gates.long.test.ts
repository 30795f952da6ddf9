/** Gates that take longer: on disks, out of time, and cancelled while one runs. */
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { hostileScript, publishGateImage } from '../support/gate-image.ts';
import { makeProject, type Project } from '../support/project.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { publishSmallBuilder } from '../support/small-builder.ts';
import { tagsOf } from '../support/registry.ts';
import { eventually } from '../support/wait.ts';

const stack = sharedStack();
const { environment, registry } = stack;
const projects: Project[] = [];
let tools: string;
let builder: string;

beforeAll(async () => {
  tools = await publishGateImage(registry);
  builder = await publishSmallBuilder(registry);
});
afterAll(async () => {
  for (const project of projects) await project.remove();
});

const run = (...args: string[]) => runFlightline(args, { environment });

async function projectWith(name: string, gates: object[], disks: object[] = []): Promise<Project> {
  const project = await makeProject({ registry, name, disks, spec: { builder: { image: builder }, gates } });
  projects.push(project);
  return project;
}

const gateContainers = async () =>
  (await execa('podman', ['ps', '--all', '--filter', 'name=flightline-gate', '--format', '{{.Names}}'])).stdout;

it('on disks look at each before it is published', async () => {
  const look = `
    for path in / /flightline /flightline/disk; do (: >>$path) 2>/dev/null && exit 9; done
    [ -e /flightline/root ] || [ -e /flightline/image ] && exit 8
    [ "$(ls /sys/class/net)" = lo ] || exit 7
    grep -qa 'made by' /flightline/disk || exit 6
    [ "$FLIGHTLINE_SUBJECT" != raw ] || { echo raw disks are for no one; exit 3; }`;
  const disks = [
    { type: 'qcow2', compress: 'none' },
    { type: 'raw', compress: 'none' },
  ];
  const project = await projectWith(
    'gated-disks',
    [{ name: 'form', image: tools, arguments: [look], on: 'disk' }],
    disks,
  );
  const first = await run('run', project.spec, '--json');
  expect(first.exitCode, first.stderr).toBe(4);
  const held = recordFrom(first);
  expect(held.gates).toMatchObject([
    { subject: 'qcow2', verdict: 'passed' },
    { subject: 'raw', verdict: 'refused' },
  ]);
  expect(held.failure!.message).toContain('raw disks are for no one');
  expect(await tagsOf(`${project.repository}/diskimage-qcow2`)).toEqual([]);
  expect((await run('logs', project.release, 'gate')).stdout).toContain('raw disks are for no one');
  const waived = await run('approve', project.release, '--waive', 'form', '--comment', 'for the museum');
  expect(waived.exitCode, waived.stderr).toBe(0);
  const second = await run('watch', project.release, '--json');
  expect(second.exitCode, second.stderr).toBe(0);
  const record = recordFrom(second);
  const raw = record.gates!.find(({ subject }) => subject === 'raw')!;
  expect(raw).toMatchObject({ verdict: 'waived', waiver: { comment: 'for the museum' } });
  // What it looked at is what was published.
  expect(record.disks.map(({ file }) => `sha256:${file!.sha256}`)).toEqual(record.gates!.map(({ digest }) => digest));
});

it('that do not end in time refuse, and leave no container', async () => {
  const project = await projectWith('gate-late', [
    { name: 'late', image: tools, arguments: ['sleep 600'], timeout: '3s' },
  ]);
  const outcome = await run('run', project.spec, '--json');
  expect(outcome.exitCode, outcome.stderr).toBe(4);
  expect(recordFrom(outcome).failure).toMatchObject({ kind: 'gate' });
  expect(recordFrom(outcome).failure!.message).toContain('did not end within 3s');
  expect(await gateContainers()).toBe('');
  await run('cancel', project.release);
});

it('end with a release that is cancelled', async () => {
  const project = await projectWith('gate-cancelled', [
    { name: 'long', image: tools, arguments: ['trap "" TERM; sleep 600'] },
  ]);
  expect((await run('run', project.spec, '--detach')).exitCode).toBe(0);
  await eventually('the gate runs', async () => ((await gateContainers()) === '' ? undefined : true));
  expect((await run('cancel', project.release)).exitCode).toBe(0);
  await eventually('the gate is gone', async () => ((await gateContainers()) === '' ? true : undefined));
  expect(await tagsOf(project.repository)).toEqual([]);
});

it('that the operator does not list run nowhere', async () => {
  const other = await projectWith('gate-refused', [{ name: 'other', image: `${registry}/test/other:1` }]);
  const outcome = await run('run', other.spec, '--json');
  expect(recordFrom(outcome)).toMatchObject({ status: 'failed', failure: { kind: 'gate-not-allowed' } });
  const networked = await projectWith('gate-network', [{ name: 'net', image: tools, network: true }]);
  const second = await run('run', networked.spec, '--json');
  expect(recordFrom(second).failure).toMatchObject({ kind: 'gate-not-allowed' });
  expect(recordFrom(second).failure!.message).toContain('with a network; it allows none');
});

it('a hostile one that is given a privileged container is caught by its own script', async () => {
  const script = hostileScript({ ports: [registry.split(':')[1]!], paths: ['/usr/bin/bash'] });
  const { exitCode, stdout } = await execa(
    'podman',
    ['run', '--rm', '--privileged', '--network=host', '--pid=host', '--tls-verify=false', tools, script],
    { reject: false },
  );
  await execa('podman', ['rmi', '--force', tools]);
  expect(exitCode).toBe(1);
  for (const what of ['port', 'processes of the host', 'wrote /', 'capabilities', 'new privileges']) {
    expect(stdout).toContain(`REACHED: ${what}`);
  }
});
