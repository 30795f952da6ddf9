/**
 * The Debian example for the other architecture than this machine's: its base and builder are made of Debian's packages
 * for it, and the disk that the one makes of the other boots in an emulated machine. So do those of a release for both.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../activities/tools/package-root.ts';
import { ARCHITECTURES, type Architecture } from '../../model/base/host.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { emulate, FOREIGN } from '../support/emulation.ts';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { makeProject } from '../support/project.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { usePrivateContainersConf } from '../support/tools.ts';

/** Where the root file systems stay: under emulation they take a quarter of an hour, on a busy machine an hour. */
const ROOTS = process.env['FLIGHTLINE_EXAMPLE_ROOTS'] ?? '/var/tmp/flightline-example-roots';
const EXAMPLE = join(packageRoot(), 'examples/debian');
const EXAMPLES = 'localhost/flightline';
const LOADERS = '/usr/lib/systemd/boot/efi';
const stack = sharedStack();
const undo: (() => Promise<unknown>)[] = [];
let output: string;

beforeAll(async () => {
  undo.push(await usePrivateContainersConf());
  undo.push(await emulate());
  output = await mkdtemp(join(tmpdir(), 'flightline-example-'));
  undo.push(() => rm(output, { recursive: true, force: true }));
  await execa(join(EXAMPLE, 'make-images.sh'), ['--architecture', FOREIGN, '--cache', ROOTS], { stdio: 'inherit' });
}, 5_400_000);
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** Boots a disk in a machine of the architecture. @returns what boot.sh says */
async function boot(architecture: Architecture, disk: string): Promise<string> {
  const order = ['--architecture', architecture, '--timeout', '1500', disk];
  return (await execa(join(EXAMPLE, 'boot.sh'), order)).stdout;
}

it('makes a disk that boots', async () => {
  const { stdout: graphRoot } = await execa('podman', ['info', '--format', '{{.Store.GraphRoot}}']);
  const run = ['run', '--rm', '--privileged', '--security-opt=label=disable', '--network=none', '--pull=never'];
  const volumes = [`--volume=${output}:/output`, `--volume=${graphRoot}:/var/lib/containers/storage`];
  const [builder, base] = [`debian-builder:1-${FOREIGN}`, `debian-base:trixie-${FOREIGN}`];
  const order = [`${EXAMPLES}/${builder}`, '--type=qcow2', '--rootfs=ext4', `${EXAMPLES}/${base}`];
  await execa('podman', [...run, ...volumes, `--platform=linux/${FOREIGN}`, ...order]);
  expect(await boot(FOREIGN, join(output, 'qcow2/disk.qcow2'))).toMatch(/^"login:" after \d+ s \(emulation\)$/);
});

/** Pushes the base of both architectures under one name. @returns its reference */
async function publishBase(): Promise<string> {
  const name = `${EXAMPLES}/debian-base:trixie`;
  const list = `localhost/flightline-test/base:${process.pid}`;
  const reference = `${stack.registry}/flightline/debian-base:both`;
  await execa('podman', ['manifest', 'create', list]);
  try {
    for (const one of [name, `${name}-${FOREIGN}`])
      await execa('podman', ['manifest', 'add', list, `containers-storage:${one}`]);
    const push = ['manifest', 'push', '--quiet', '--all', '--tls-verify=false'];
    await execa('podman', [...push, list, `docker://${reference}`]);
  } finally {
    await execa('podman', ['manifest', 'rm', list]);
  }
  return reference;
}

/** Pushes this machine's builder with the other architecture's boot loader. @returns its reference */
async function publishBuilder(): Promise<string> {
  const name = `${EXAMPLES}/debian-builder:1`;
  const loader = `${LOADERS}/systemd-boot${{ amd64: 'x64', arm64: 'aa64' }[FOREIGN]}.efi`;
  const reference = `${stack.registry}/flightline/debian-builder:both`;
  const file = join(output, 'Containerfile');
  await writeFile(file, `FROM ${name}\nCOPY --from=${name}-${FOREIGN} ${loader} ${LOADERS}/\n`);
  await execa('podman', ['build', '--quiet', '--pull=never', '--tag', reference, `--file=${file}`, output]);
  await execa('podman', ['push', '--quiet', '--tls-verify=false', reference]);
  await execa('podman', ['rmi', reference]);
  return reference;
}

describe('released for both architectures', () => {
  let record: ReleaseRecord;

  beforeAll(async () => {
    const project = await makeProject({
      registry: stack.registry,
      name: 'example-platforms',
      containerfile: await readFile(join(EXAMPLE, 'Containerfile'), 'utf8'),
      image: { platforms: ARCHITECTURES.map((one) => `linux/${one}`), buildArgs: { BASE: await publishBase() } },
      disks: [{ type: 'qcow2', publish: 'container-disk' }],
      spec: { builder: { image: await publishBuilder(), rootfs: 'ext4', config: 'config.toml' } },
      files: { 'config.toml': await readFile(join(EXAMPLE, 'config.toml'), 'utf8') },
    });
    undo.push(() => project.remove());
    await cp(join(EXAMPLE, 'rootfs'), join(project.directory, 'rootfs'), { recursive: true });
    const { environment } = stack;
    const run = await runFlightline(['run', project.spec, '--json'], { environment, timeout: 1_500_000 });
    if (run.exitCode !== 0) throw new Error(`${run.stderr}\n${run.stdout}`);
    record = recordFrom(run);
  }, 1_800_000);

  it.each(ARCHITECTURES)('boots the published disk of %s', async (one) => {
    const [disk] = record.disks;
    const to = ['--platform', `linux/${one}`, '--output', join(output, one)];
    const fetch = ['fetch', disk!.reference!, ...to, '--key', stack.publicKey, '--json'];
    const { exitCode, stdout, stderr } = await runFlightline(fetch, { environment: stack.environment });
    expect(exitCode, stderr).toBe(0);
    expect(await boot(one, (JSON.parse(stdout) as { path: string }).path)).toMatch(/^"login:" after \d+ s/);
  });
});
