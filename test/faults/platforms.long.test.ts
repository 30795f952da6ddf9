/** Two platforms on two build hosts, one of which dies, and what becomes of their index afterwards. */
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ARCHITECTURES } from '../../model/base/host.ts';
import { RECORD_QUERY } from '../../model/contract/workflows.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { releaseId } from '../../model/oci/reference.ts';
import { emulate, FOREIGN, pushIndex } from '../support/emulation.ts';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { makeProject, type Project } from '../support/project.ts';
import { blobOf, digestOf, manifestOf, tagsOf } from '../support/registry.ts';
import { startBuildHost, type BuildHost } from '../support/second-host.ts';
import { startTestStack, TWO_HOSTS_TIMING, withClient, type TestStack } from '../support/stack.ts';
import { usePrivateContainersConf } from '../support/tools.ts';
import { eventually } from '../support/wait.ts';

/** So many steps that one of them runs when the host dies. */
const STEPS = 40;
const undo: (() => Promise<unknown>)[] = [];
let stack: TestStack;
let environment: Record<string, string>;
let native: BuildHost;
let emulating: BuildHost;
let project: Project;

beforeAll(async () => {
  undo.push(await usePrivateContainersConf());
  undo.push(await emulate());
  stack = await startTestStack({ roles: ['control', 'sign'] });
  undo.push(() => stack.end());
  environment = { ...stack.environment, FLIGHTLINE_TIMING: JSON.stringify(TWO_HOSTS_TIMING) };
  const own = ARCHITECTURES.filter((one) => one !== FOREIGN);
  native = await startBuildHost(stack.stack, { name: 'host-a', architectures: own });
  undo.push(() => native.end());
  emulating = await startBuildHost(stack.stack, { name: 'host-b', private: true, architectures: [FOREIGN] });
  undo.push(() => emulating.end());
  const base = `${stack.registry}/test/platforms-base:1`;
  await pushIndex(base);
  project = await makeProject({
    registry: stack.registry,
    name: 'two-platforms',
    containerfile: [`FROM ${base}`, ...Array.from({ length: STEPS }, (_, step) => `RUN step ${step}`), ''].join('\n'),
    image: { platforms: ARCHITECTURES.map((one) => `linux/${one}`) },
  });
  undo.push(() => project.remove());
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

const rowOf = ({ stages }: ReleaseRecord, name: string, subject: string) =>
  stages.find((row) => row.name === name && row.subject === subject)!;

it('loses with a host the platform that it builds, and no other', async () => {
  const release = startFlightline(['run', project.spec, '--json'], { environment });
  await withClient(stack, (client) =>
    eventually('one platform is pushed, the other one is built', async () => {
      const handle = client.workflow.getHandle(releaseId(project.repository, 'v1'));
      const record = await handle.query<ReleaseRecord>(RECORD_QUERY).catch(() => undefined);
      if (!record) return undefined;
      const isPushed = ARCHITECTURES.some((one) => rowOf(record, 'push', `image-${one}`).status === 'done');
      return (isPushed && rowOf(record, 'build', `image-${FOREIGN}`).status === 'running') || undefined;
    }),
  );
  expect(await tagsOf(project.repository)).toEqual([]);
  await emulating.lose();
  await emulating.start();
  const { exitCode, stdout, stderr } = await release;
  const record = recordFrom({ exitCode: exitCode ?? -1, stdout: String(stdout), stderr: String(stderr) });
  expect(record).toMatchObject({ status: 'released', image: { verified: true } });
  for (const one of ARCHITECTURES) {
    const { host, attempts } = rowOf(record, 'build', `image-${one}`);
    if (one === FOREIGN) expect([host, attempts > 1]).toEqual(['host-b', true]);
    else expect([host, attempts]).toEqual(['host-a', 1]);
  }
  expect(await emulating.leftOvers()).toEqual([]);
  expect(await native.leftOvers()).toEqual([]);
});

it('keeps every platform when untagged manifests are collected, and when the index is promoted', async () => {
  const config = join(stack.directory, 'registry.yml');
  await execa('docker-registry', ['garbage-collect', '--delete-untagged', config]);
  const target = `${stack.registry}/test/production:v1`;
  const promoted = await runFlightline(['promote', project.release, '--to', target, '--json'], { environment });
  expect(promoted.exitCode, promoted.stderr).toBe(0);
  expect(await digestOf(target)).toBe(await digestOf(project.release));
  for (const name of [project.release, target].flatMap((tag) => [
    tag,
    ...ARCHITECTURES.map((one) => `${tag}-${one}`),
  ])) {
    const verified = await runFlightline(['verify', name, '--key', stack.publicKey], { environment });
    expect(verified.exitCode, `${name}: ${verified.stderr}`).toBe(0);
  }
  for (const one of ARCHITECTURES) {
    const directory = join(stack.directory, `pulled-${one}`);
    const platform = [`--override-arch=${one}`, '--override-os=linux'];
    const copy = ['--insecure-policy', ...platform, 'copy', '--src-tls-verify=false'];
    await execa('skopeo', [...copy, `docker://${target}`, `oci:${directory}`]);
  }
});

it('makes no index for one platform, also where it is emulated', async () => {
  const base = `${stack.registry}/test/platforms-base:1`;
  const image = { platforms: [`linux/${FOREIGN}`] };
  const one = await makeProject({
    registry: stack.registry,
    name: 'one-platform',
    image,
    containerfile: `FROM ${base}\n`,
  });
  undo.push(() => one.remove());
  const outcome = await runFlightline(['run', one.spec, '--json'], { environment });
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(recordFrom(outcome).image.platforms).toBeUndefined();
  const { config, manifests } = (await manifestOf(one.release)) as { config?: { digest: string }; manifests?: unknown };
  expect(manifests).toBeUndefined();
  const text = String(await blobOf(one.repository, config!.digest));
  expect(JSON.parse(text)).toMatchObject({ architecture: FOREIGN, os: 'linux' });
});
