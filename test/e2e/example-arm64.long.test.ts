/**
 * The Debian example for the other architecture than this machine's: its base and builder are made of Debian's packages
 * for it, and the disk that the one makes of the other boots in an emulated machine.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packageRoot } from '../../activities/tools/package-root.ts';
import { emulate, FOREIGN } from '../support/emulation.ts';
import { usePrivateContainersConf } from '../support/tools.ts';

/** Where the root file systems stay: under emulation they take a quarter of an hour, on a busy machine an hour. */
const ROOTS = process.env['FLIGHTLINE_EXAMPLE_ROOTS'] ?? '/var/tmp/flightline-example-roots';
const EXAMPLE = join(packageRoot(), 'examples/debian');
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

it('makes a disk that boots', async () => {
  const { stdout: graphRoot } = await execa('podman', ['info', '--format', '{{.Store.GraphRoot}}']);
  const run = ['run', '--rm', '--privileged', '--security-opt=label=disable', '--network=none', '--pull=never'];
  const volumes = [`--volume=${output}:/output`, `--volume=${graphRoot}:/var/lib/containers/storage`];
  const [builder, base] = [`debian-builder:1-${FOREIGN}`, `debian-base:trixie-${FOREIGN}`];
  const order = [`localhost/flightline/${builder}`, '--type=qcow2', '--rootfs=ext4', `localhost/flightline/${base}`];
  await execa('podman', [...run, ...volumes, `--platform=linux/${FOREIGN}`, ...order]);

  const boot = ['--architecture', FOREIGN, '--timeout', '1500', join(output, 'qcow2/disk.qcow2')];
  const { stdout } = await execa(join(EXAMPLE, 'boot.sh'), boot);
  expect(stdout).toMatch(/^"login:" after \d+ s \(emulation\)$/);
});
