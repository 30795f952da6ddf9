/** Gates that take longer: on disks and platforms, with a network, out of time, and cancelled while one runs. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ARCHITECTURES } from '../../model/base/host.ts';
import type { GateVerdict } from '../../model/gate/gate.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { emulate, FOREIGN, pushIndex } from '../support/emulation.ts';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { hostileScript, publishGateImage } from '../support/gate-image.ts';
import { makeProject, type Project } from '../support/project.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { publishSmallBuilder } from '../support/small-builder.ts';
import { blobOf, digestOf, manifestOf, tagsOf } from '../support/registry.ts';
import { startTestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

const stack = sharedStack();
const { environment, registry } = stack;
const COMMENT = 'for the museum';
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
  const spec = { builder: { image: builder }, provenance: disks.length > 0, gates };
  const project = await makeProject({ registry, name, disks, spec });
  projects.push(project);
  return project;
}

/** A waiver of a disk stands in the signed record and in the provenance, and `status` shows it. */
async function isToldEverywhere(project: Project, record: ReleaseRecord, { digest, waiver }: GateVerdict) {
  const manifest = async (reference: string) =>
    (await manifestOf(reference)) as unknown as { layers: { digest: string }[] };
  const records = `${project.repository}/release`;
  const [layer] = (await manifest(`${records}:v1`)).layers;
  const signed = JSON.parse((await blobOf(records, layer!.digest)).toString());
  expect(signed.gates).toEqual(record.gates);
  const disks = `${project.repository}/diskimage-raw`;
  const disk = record.disks.find(({ type }) => type === 'raw')!;
  const [envelope] = (await manifest(`${disks}:${disk.digest!.replace(':', '-')}.att`)).layers;
  const { payload } = JSON.parse((await blobOf(disks, envelope!.digest)).toString()) as { payload: string };
  const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString());
  const hex = (text: string) => ({ sha256: text.slice('sha256:'.length) });
  expect(predicate.buildDefinition.externalParameters).toMatchObject({
    gates: [{ name: 'form', image: tools }],
    waivers: [{ gate: 'form', subject: 'raw', digest: hex(digest), ...waiver }],
  });
  const gate = { name: 'gate', uri: `oci://${tools}`, digest: hex((await digestOf(tools))!) };
  expect(predicate.buildDefinition.resolvedDependencies).toContainEqual(gate);
  expect(predicate.runDetails.byproducts).toContainEqual({
    name: 'gate/form/raw',
    digest: hex(digest),
    annotations: { verdict: 'waived' },
  });
  expect((await run('status', project.release)).stdout).toContain('gate: form on raw: waived by');
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
  const report = (await run('logs', project.release, 'gate')).stdout;
  expect(report).toContain('raw disks are for no one');
  expect(report).toContain(`-- gate form on qcow2 ${held.gates![0]!.digest} passed --`);
  const { digest } = held.gates![1]!;
  const waive = ['approve', project.release, '--waive', 'form'];
  const other = `sha256:${'0'.repeat(64)}`;
  const another = await run(...waive, '--comment', COMMENT, '--digest', other);
  expect(another.exitCode).toBe(2);
  expect(another.stderr).toContain(`does not hold ${other}: it holds ${digest}`);
  expect((await run(...waive)).stderr).toContain('needs a reason');
  const waived = await run(...waive, '--comment', COMMENT);
  expect(waived.exitCode, waived.stderr).toBe(0);
  const second = await run('watch', project.release, '--json');
  expect(second.exitCode, second.stderr).toBe(0);
  const record = recordFrom(second);
  const raw = record.gates!.find(({ subject }) => subject === 'raw')!;
  expect(raw).toMatchObject({ digest, verdict: 'waived', waiver: { comment: COMMENT } });
  // What it looked at is what was published.
  expect(record.disks.map(({ file }) => `sha256:${file!.sha256}`)).toEqual(record.gates!.map((one) => one.digest));
  await isToldEverywhere(project, record, raw);

  const difference = async () => JSON.parse((await run('diff', project.release, 'v1', '--json')).stdout);
  expect(await difference()).toMatchObject({ waived: [{ gate: 'form', subject: 'raw' }], unrecorded: [] });
  // A record is of the image that it names, not of what somebody has put under its tag.
  const flags = ['--quiet', '--src-tls-verify=false', '--dest-tls-verify=false'];
  await execa('skopeo', ['copy', ...flags, `docker://${tools}`, `docker://${project.release}`]);
  expect(await difference()).toMatchObject({
    gates: null,
    waived: [],
    unrecorded: [project.release, project.release],
  });
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

it('of two platforms look at each, and a waiver is for the one that it names', async () => {
  const stopEmulation = await emulate();
  try {
    const base = `${registry}/test/gated-base:1`;
    await pushIndex(base);
    const script =
      'echo sees $(cat /flightline/root/text); [ $FLIGHTLINE_SUBJECT = "$0" ] || { echo not for $0; exit 3; }';
    const project = await makeProject({
      registry,
      name: 'gate-platforms',
      containerfile: `FROM ${base}\nRUN a step\n`,
      image: { platforms: ARCHITECTURES.map((one) => `linux/${one}`) },
      spec: { gates: [{ name: 'one', image: tools, arguments: [script, `image-${FOREIGN}`] }] },
    });
    projects.push(project);
    const first = await run('run', project.spec, '--json');
    expect(first.exitCode, first.stderr).toBe(4);
    const held = recordFrom(first);
    expect(held.gates?.map(({ subject, verdict }) => [subject, verdict])).toEqual(
      ARCHITECTURES.map((one) => [`image-${one}`, one === FOREIGN ? 'passed' : 'refused']),
    );
    const [own, foreign] = [false, true].map(
      (isForeign) => held.gates!.find(({ subject }) => (subject === `image-${FOREIGN}`) === isForeign)!.digest,
    );
    expect(own).not.toBe(foreign);
    const waive = ['approve', project.release, '--waive', 'one', '--comment', 'it may'];
    const other = await run(...waive, '--digest', foreign!);
    expect([other.exitCode, other.stderr]).toEqual([2, expect.stringContaining(`does not hold ${foreign}`)]);
    const waived = await run(...waive, '--digest', own!);
    expect(waived.exitCode, waived.stderr).toBe(0);
    const second = await run('watch', project.release, '--json');
    expect(second.exitCode, second.stderr).toBe(0);
    const verdicts = recordFrom(second).gates!;
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(
      ARCHITECTURES.map((one) => (one === FOREIGN ? 'passed' : 'waived')),
    );
    // Each saw its own platform's image.
    for (const one of ARCHITECTURES) {
      const { stdout } = await run('logs', project.release, 'gate', '--subject', `image-${one}`);
      expect(stdout.split('\n')).toContain(`sees ${one}`);
    }
  } finally {
    await stopEmulation();
  }
});

it('reach a server of this machine only with a network that the operator grants', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined).end('reached\n'));
  await once(server.listen(0), 'listening');
  const granting = await startTestStack({
    configure: (before) => ({ ...before, gatesWithNetwork: before.gates }),
  });
  try {
    const image = await publishGateImage(granting.registry);
    const { port } = server.address() as AddressInfo;
    // podman names the host in this file where there is a network.
    const find = `while read -r address names; do [[ $names == *host.containers.internal* ]] && break; done`;
    const reach = `${find} </etc/hosts; cat </dev/tcp/\${address:-127.0.0.1}/${port}`;
    const project = await makeProject({
      registry: granting.registry,
      name: 'gate-network',
      spec: {
        gates: [
          { name: 'granted', image, arguments: [reach], network: true },
          { name: 'alone', image, arguments: [reach] },
        ],
      },
    });
    projects.push(project);
    const outcome = await runFlightline(['run', project.spec, '--json'], { environment: granting.environment });
    expect(outcome.exitCode, outcome.stderr).toBe(4);
    expect(recordFrom(outcome).gates).toMatchObject([
      { gate: 'granted', verdict: 'passed' },
      { gate: 'alone', verdict: 'refused' },
    ]);
    expect(recordFrom(outcome).failure!.message).toMatch(/the gate alone refuses [^]*\/dev\/tcp\//);
    const log = await runFlightline(['logs', project.release, 'gate'], { environment: granting.environment });
    expect(log.stdout.match(/^reached$/gm)).toHaveLength(1);
    await runFlightline(['cancel', project.release], { environment: granting.environment });
  } finally {
    await granting.end();
    server.close();
  }
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
