/** A bundle of a real release: two platforms, disks, provenance, and a layer that comes in several requests. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ARCHITECTURES } from '../../model/base/host.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { emulate, pushIndex } from '../support/emulation.ts';
import { startOwnRegistry, type OwnRegistry } from '../support/own-registry.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf } from '../support/registry.ts';
import { publishSmallBuilder, SMALL_BUILDER } from '../support/small-builder.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { usePrivateContainersConf } from '../support/tools.ts';

/** More than what one request brings (activities/tools/registry/send-artifact.ts), and does not compress. */
const LARGE = 20 * 1024 * 1024;

let directory: string;
let stack: TestStack;
let project: Project;
let target: OwnRegistry;
let record: ReleaseRecord;
let file: string;
const undo: (() => Promise<void>)[] = [];

beforeAll(async () => {
  undo.push(await usePrivateContainersConf());
  undo.push(await emulate());
  directory = await mkdtemp(join(tmpdir(), 'flightline-bundle-platforms-'));
  undo.push(() => rm(directory, { recursive: true, force: true }));
  file = join(directory, 'v1.tar');
  stack = await startTestStack({
    configure: (before) => ({
      ...before,
      architectures: [...ARCHITECTURES],
      emulatedDisks: true,
      builders: [...before.builders, `${before.keys['release']!.repositories[0]}/${SMALL_BUILDER}`],
    }),
  });
  const { registry } = stack;
  const base = `${registry}/test/bundled-base:1`;
  await pushIndex(base);
  project = await makeProject({
    registry,
    name: 'bundled',
    containerfile: `FROM ${base}\nCOPY large /large\nRUN one\n`,
    image: { platforms: ARCHITECTURES.map((one) => `linux/${one}`) },
    disks: [{ type: 'raw' }],
    spec: { provenance: true, builder: { image: await publishSmallBuilder(registry) } },
  });
  undo.push(() => project.remove());
  await writeFile(join(project.directory, 'large'), randomBytes(LARGE));
  const run = await runFlightline(['run', project.spec, '--json'], { environment: stack.environment });
  if (run.exitCode !== 0) throw new Error(`${run.stderr}\n${run.stdout}`);
  record = recordFrom(run);
  const made = await flightline('bundle', project.release, '--output', file, '--key', stack.publicKey);
  if (made.exitCode !== 0) throw new Error(made.stderr);
  // From here on nothing can be read there.
  await stack.stack.stop();
  target = await startOwnRegistry();
  undo.push(() => target.stop());
}, 600_000);
afterAll(async () => {
  await stack?.end();
  for (const step of undo.reverse()) await step();
});

const flightline = (...args: string[]) =>
  runFlightline(args, { environment: { ...stack.environment, TMPDIR: directory } });

it('with a byte of the large layer changed writes nothing', async () => {
  const changed = join(directory, 'changed.tar');
  await execa('cp', [file, changed]);
  const handle = await open(changed, 'r+');
  const { size } = await handle.stat();
  expect(size).toBeGreaterThan(LARGE);
  const at = Math.floor(size / 2);
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  await handle.write(Buffer.from([byte[0]! ^ 1]), 0, 1, at);
  await handle.close();
  const to = `${target.address}/plant/changed`;
  const { exitCode, stderr } = await flightline('import', changed, '--to', to, '--key', stack.publicKey);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/damaged or was changed/);
  expect(await readFile(target.log, 'utf8')).not.toMatch(/"(?:PUT|POST|PATCH) \/v2\/plant\/changed\//);
});

it('brings every platform, disk and attestation, which devices and cosign accept there', async () => {
  const to = `${target.address}/plant/camera`;
  const brought = await flightline('import', file, '--to', to, '--key', stack.publicKey, '--json');
  expect(brought.exitCode, brought.stderr).toBe(0);
  const [disk] = record.disks;
  expect(await digestOf(`${to}:v1`)).toBe(record.image.digest);
  expect(await digestOf(`${to}/diskimage-raw:v1`)).toBe(disk!.digest);
  expect(record.image.platforms).toHaveLength(2);
  for (const { platform, digest } of record.image.platforms!)
    expect(await digestOf(`${to}:v1-${platform}`)).toBe(digest);
  expect(record.attestations!.map(({ subject }) => subject).toSorted()).toEqual(['image', 'raw']);

  const root = join(directory, 'device');
  const args = ['--imported-from', project.repository, '--repository', to, '--public-key', stack.publicKey];
  const written = await flightline('device-config', ...args, '--output', root);
  expect(written.exitCode, written.stderr).toBe(0);
  const policy = join(root, 'etc/containers/policy.json');
  await writeFile(policy, (await readFile(policy, 'utf8')).replaceAll('/etc/pki', join(root, 'etc/pki')));
  const device = ['--policy', policy, '--registries.d', join(root, 'etc/containers/registries.d')];
  const names = [`${to}:v1`, ...ARCHITECTURES.map((one) => `${to}:v1-${one}`), `${to}/diskimage-raw:v1`];
  for (const name of [...names, `${to}/release:v1`]) {
    const pulled = await mkdtemp(join(directory, 'pulled-'));
    const copy = ['copy', '--src-tls-verify=false', '--all', '--remove-signatures', `docker://${name}`];
    await execa('skopeo', [...device, ...copy, `dir:${pulled}`]);
  }
  const verify = [
    'verify-attestation',
    '--key',
    stack.publicKey,
    '--insecure-ignore-tlog',
    '--type',
    'slsaprovenance1',
  ];
  for (const name of [`${to}:v1`, `${to}/diskimage-raw:v1`]) await execa('cosign', [...verify, name]);
});
