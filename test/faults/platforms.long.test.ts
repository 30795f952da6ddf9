/**
 * Two platforms with disks on two build hosts, one of which dies, and what becomes of their indexes afterwards: with
 * garbage collection, promotion, rollback and prune, and in the eyes of other programs.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ARCHITECTURES } from '../../model/base/host.ts';
import { RECORD_QUERY } from '../../model/contract/workflows.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { policyFor } from '../../model/device/signature-policy.ts';
import { releaseId } from '../../model/oci/reference.ts';
import { releaseKey } from '../../model/release/inputs.ts';
import { logName } from '../../model/stage/stage.ts';
import { emulate, FOREIGN, pushIndex } from '../support/emulation.ts';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { makeProject, type Project } from '../support/project.ts';
import { blobOf, digestOf, manifestOf, tagsOf } from '../support/registry.ts';
import { startBuildHost, type BuildHost } from '../support/second-host.ts';
import { publishSmallBuilder, SMALL_BUILDER } from '../support/small-builder.ts';
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
  stack = await startTestStack({
    roles: ['control', 'sign'],
    configure: (configuration) => ({
      ...configuration,
      emulatedDisks: true,
      builders: [...configuration.builders, `${configuration.keys['release']!.repositories[0]}/${SMALL_BUILDER}`],
    }),
  });
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
    disks: [{ type: 'qcow2', publish: 'container-disk' }, { type: 'raw' }],
    spec: { builder: { image: await publishSmallBuilder(stack.registry) } },
  });
  undo.push(() => project.remove());
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

const rowOf = ({ stages }: ReleaseRecord, name: string, subject: string) =>
  stages.find((row) => row.name === name && row.subject === subject)!;

it('loses with a host the platform that it builds, and no other', async () => {
  const release = releaseId(project.repository, 'v1');
  const running = startFlightline(['run', project.spec, '--json'], { environment });
  await withClient(stack, async (client) => {
    const handle = client.workflow.getHandle(release);
    const record = () => handle.query<ReleaseRecord>(RECORD_QUERY).catch(() => undefined);
    const is = async (status: string, name: string, platform: string) => {
      const now = await record();
      return (now && rowOf(now, name, `image-${platform}`).status === status) || undefined;
    };
    await eventually('the emulated platform is built', () => is('running', 'build', FOREIGN));
    // The host first tries the emulation. Frozen in that, its podman keeps the lock of its storage, and the test's own
    // podman would wait for it.
    const log = join(emulating.work, 'logs', releaseKey(release), `${logName('build', `image-${FOREIGN}`)}.log`);
    const steps = async () => (await readFile(log, 'utf8').catch(() => '')).includes('STEP ') || undefined;
    await eventually('its steps run', steps);
    await emulating.freeze();
    const own = ARCHITECTURES.find((one) => one !== FOREIGN)!;
    await eventually('the other one is pushed', () => is('done', 'push', own));
    expect((await record())!.image.platforms!.find(({ platform }) => platform === FOREIGN)!.digest).toBeNull();
  });
  expect(await tagsOf(project.repository)).toEqual([]);
  await emulating.lose();
  await emulating.start();
  const { exitCode, stdout, stderr } = await running;
  const record = recordFrom({ exitCode: exitCode ?? -1, stdout: String(stdout), stderr: String(stderr) });
  expect(record).toMatchObject({ status: 'released', image: { verified: true } });
  for (const one of ARCHITECTURES) {
    const { host, attempts } = rowOf(record, 'build', `image-${one}`);
    if (one === FOREIGN) expect([host, attempts > 1]).toEqual(['host-b', true]);
    else expect([host, attempts]).toEqual(['host-a', 1]);
    expect(rowOf(record, 'disk-build', `qcow2-${one}+raw-${one}`).host).toBe(one === FOREIGN ? 'host-b' : 'host-a');
  }
  expect(await emulating.leftOvers()).toEqual([]);
  expect(await native.leftOvers()).toEqual([]);
});

/** Every name of a release: of the image and its disks, of their indexes and entries. */
const namesOf = (release: string) => {
  const [repository, tag] = [release.slice(0, release.lastIndexOf(':')), release.slice(release.lastIndexOf(':') + 1)];
  const repositories = [repository, ...['qcow2', 'raw'].map((type) => `${repository}/diskimage-${type}`)];
  return repositories.flatMap((one) =>
    [tag, ...ARCHITECTURES.map((each) => `${tag}-${each}`)].map((t) => `${one}:${t}`),
  );
};
const flightline = async (...args: string[]) => {
  const outcome = await runFlightline(args, { environment });
  expect(outcome.exitCode, `${args.join(' ')}: ${outcome.stderr}`).toBe(0);
  return outcome;
};
const verifyAll = async (names: readonly string[]) => {
  for (const name of names) await flightline('verify', name, '--key', stack.publicKey);
};
const collectGarbage = () =>
  execa('docker-registry', ['garbage-collect', '--delete-untagged', join(stack.directory, 'registry.yml')]);

it('is taken by other programs, and by the policy of a device of each platform, whole and in parts', async () => {
  for (const name of namesOf(project.release)) {
    const verify = ['verify', '--key', stack.publicKey, '--insecure-ignore-tlog=true', '--allow-insecure-registry'];
    await execa('cosign', [...verify, name], { env: { HOME: stack.directory } });
  }
  const raw = async (name: string) =>
    JSON.parse((await execa('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${name}`])).stdout) as {
      manifests: { platform: { architecture: string; os: string }; artifactType?: string }[];
    };
  const [image, , , container, , , disk] = namesOf(project.release);
  const artifactType = 'application/vnd.diskimage.raw.gzip';
  for (const [name, more] of [
    [image!, {}],
    [container!, {}],
    [disk!, { artifactType }],
  ] as const) {
    expect((await raw(name)).manifests).toMatchObject(
      ARCHITECTURES.map((architecture) => ({ platform: { architecture, os: 'linux' }, ...more })),
    );
  }

  const directory = join(stack.directory, 'device');
  const key = (await execa('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout'])).stdout;
  const other = (await execa('openssl', ['ec', '-pubout'], { input: key })).stdout;
  await mkdir(join(directory, 'registries.d'), { recursive: true });
  await writeFile(join(directory, 'other.pub'), other);
  const registry = `docker:\n  ${stack.registry}:\n    use-sigstore-attachments: true\n`;
  await writeFile(join(directory, 'registries.d/flightline.yaml'), registry);
  for (const one of ARCHITECTURES) {
    const pull = (name: string, trusted: string) => {
      const repository = name.slice(0, name.lastIndexOf(':'));
      const policy = join(directory, 'policy.json');
      const flags = ['--policy', policy, '--registries.d', join(directory, 'registries.d'), `--override-arch=${one}`];
      const to = `dir:${join(directory, `pulled-${one}`)}`;
      return writeFile(policy, JSON.stringify(policyFor([repository], trusted, 'reject'))).then(() =>
        execa('skopeo', [...flags, '--override-os=linux', 'copy', '--src-tls-verify=false', `docker://${name}`, to]),
      );
    };
    for (const name of [image!, `${image}-${one}`, container!, disk!, `${disk}-${one}`]) {
      await pull(name, stack.publicKey);
      await expect(pull(name, join(directory, 'other.pub')), name).rejects.toThrow(/signature/i);
    }
    const storage = ['--root', join(directory, one), '--runroot', join(directory, `${one}-run`)];
    const arch = [`--arch=${one}`, '--tls-verify=false', '--quiet'];
    const { stdout: id } = await execa('podman', [...storage, 'pull', ...arch, image!]);
    const { stdout } = await execa('podman', [...storage, 'image', 'inspect', '--format={{.Architecture}}', id.trim()]);
    expect(stdout).toBe(one);
    await execa('podman', [...storage, 'rmi', '--force', id.trim()]);
  }
});

it('keeps every platform when untagged manifests are collected, and when the release is promoted', async () => {
  await collectGarbage();
  const target = `${stack.registry}/test/production:stable`;
  await flightline('promote', project.release, '--to', target);
  expect(await digestOf(target)).toBe(await digestOf(project.release));
  await verifyAll(namesOf(project.release));
  await verifyAll(namesOf(target));
});

it('goes back with all its parts, and is pruned with them, and nothing else is', async () => {
  const target = `${stack.registry}/test/production:stable`;
  const digests = async (release: string) => Promise.all(namesOf(release).map((name) => digestOf(name)));
  const first = await digests(target);
  const spec = await readFile(project.spec, 'utf8');
  await project.write('flightline.yaml', spec.replace('tag: v1', 'tag: v2'));
  await project.write('Containerfile', `FROM ${stack.registry}/test/platforms-base:1\nRUN other\n`);
  await flightline('run', project.spec);
  const second = `${project.repository}:v2`;
  await flightline('promote', second, '--to', target);
  expect(await digests(target)).toEqual(await digests(second));
  await flightline('rollback', target);
  expect(await digests(target)).toEqual(first);
  await verifyAll(namesOf(target));

  await flightline('prune', project.repository, '--keep-last', '1', '--keep-within', '1s');
  expect(await digests(project.release)).toEqual(first.map(() => null));
  await collectGarbage();
  await verifyAll(namesOf(second));
  await verifyAll(namesOf(target));
});

it('makes the platform again whose base has changed, and its disks, and no other', async () => {
  const base = `${stack.registry}/test/changing-base`;
  await pushIndex(`${base}:1`);
  const nightly = await makeProject({
    registry: stack.registry,
    name: 'nightly',
    containerfile: `FROM ${base}:1\nRUN step\n`,
    image: { platforms: ARCHITECTURES.map((one) => `linux/${one}`), tagPolicy: 'move' },
    disks: [{ type: 'raw' }],
    spec: { rebuild: 'when-changed', builder: { image: `${stack.registry}/${SMALL_BUILDER}:1` } },
  });
  undo.push(() => nightly.remove());
  const run = async () => recordFrom(await flightline('run', nightly.spec, '--json'));
  const first = await run();

  await pushIndex(`${base}:2`, ' in another version');
  type Index = { mediaType: string; manifests: { digest: string; platform: { architecture: string } }[] };
  const [before, after] = (await Promise.all([manifestOf(`${base}:1`), manifestOf(`${base}:2`)])) as unknown as Index[];
  const manifests = before!.manifests.map((entry) =>
    entry.platform.architecture === FOREIGN
      ? after!.manifests.find(({ platform }) => platform.architecture === FOREIGN)!
      : entry,
  );
  const answer = await fetch(`http://${stack.registry}/v2/test/changing-base/manifests/1`, {
    method: 'PUT',
    headers: { 'content-type': before!.mediaType },
    body: JSON.stringify({ ...before, manifests }),
  });
  expect(answer.status).toBe(201);

  const second = await run();
  expect(second).toMatchObject({ status: 'released', image: { verified: true } });
  const own = ARCHITECTURES.find((one) => one !== FOREIGN)!;
  expect(second.reason).toMatch(new RegExp(`^base ${base}:1 for linux/${FOREIGN} .*; linux/${own} stays as it is$`));
  for (const one of ARCHITECTURES) {
    const isSame = ({ image, disks: [disk] }: ReleaseRecord, other: ReleaseRecord) =>
      [image, disk!].map(({ platforms }, index) => {
        const { platforms: theirs } = [other.image, other.disks[0]!][index]!;
        const digestIn = (all: typeof platforms) => all!.find(({ platform }) => platform === one)!.digest;
        return digestIn(platforms) === digestIn(theirs);
      });
    expect(isSame(second, first), one).toEqual(Array(2).fill(one === own));
    const made = ['build image', 'push image', 'disk-build raw', 'publish raw'].map((row) => {
      const [name, subject] = row.split(' ') as [string, string];
      return rowOf(second, name, `${subject}-${one}`).status;
    });
    expect(made).toEqual(Array(4).fill(one === own ? 'skipped' : 'done'));
  }
  await verifyAll([nightly.release, `${nightly.repository}/diskimage-raw:v1`]);
  expect(await run()).toMatchObject({ status: 'unchanged' });
});

it('is released without a platform once a person approves it, and the platform is not forgotten', async () => {
  const own = ARCHITECTURES.find((one) => one !== FOREIGN)!;
  const partial = await makeProject({
    registry: stack.registry,
    name: 'partial',
    containerfile: `FROM ${stack.registry}/test/platforms-base:1\nARG TARGETARCH\nCOPY only-$TARGETARCH /file\n`,
    files: { [`only-${own}`]: 'text' },
    image: {
      platforms: ARCHITECTURES.map((one) => `linux/${one}`),
      allowMissing: [`linux/${FOREIGN}`],
      tagPolicy: 'move',
      alsoTag: ['stable'],
    },
    disks: [{ type: 'raw' }],
    spec: { rebuild: 'when-changed', builder: { image: `${stack.registry}/${SMALL_BUILDER}:1` } },
  });
  undo.push(() => partial.remove());
  const held = async () => {
    const outcome = await runFlightline(['run', partial.spec, '--json'], { environment });
    expect(outcome.exitCode, outcome.stderr).toBe(4);
    const record = recordFrom(outcome);
    expect(rowOf(record, 'build', `image-${FOREIGN}`).status).toBe('held');
    return record;
  };
  const goOn = async () => {
    await flightline('approve', partial.release, '--without', `linux/${FOREIGN}`, '--comment', 'no file');
    return recordFrom(await flightline('watch', partial.release, '--json'));
  };
  await held();
  expect(await tagsOf(partial.repository)).toEqual([]);
  const record = await goOn();
  const missing = [{ platform: FOREIGN, comment: 'no file', kind: 'containerfile' }];
  expect(record).toMatchObject({ status: 'released', image: { verified: true, missing } });
  const names = ['stable', `stable-${own}`, 'v1', `v1-${own}`];
  expect((await tagsOf(partial.repository)).filter((tag) => !tag.startsWith('sha256-'))).toEqual(names);
  const entries = [{ platform: { architecture: own, os: 'linux' } }];
  for (const name of [partial.release, `${partial.repository}/diskimage-raw:v1`]) {
    expect((await manifestOf(name))['manifests']).toMatchObject(entries);
    expect((await manifestOf(name))['manifests']).toHaveLength(1);
  }
  await verifyAll([...names.map((tag) => `${partial.repository}:${tag}`), `${partial.repository}/diskimage-raw:v1`]);
  const words = new RegExp(`linux/${FOREIGN} is missing, as \\S+ approved on \\S+: no file \\(containerfile: `);
  expect((await flightline('history', `${partial.repository}:stable`)).stdout).toMatch(words);
  expect((await flightline('status', partial.release)).stdout).toMatch(words);

  const again = await held();
  expect(again.reason).toBe(`${partial.release} was released without linux/${FOREIGN}; linux/${own} stays as it is`);
  expect((await goOn()).image.platforms).toMatchObject([{ digest: record.image.platforms![0]!.digest }]);
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
