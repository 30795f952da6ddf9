/** Releases for several platforms, and for another one than the machine's, by emulation. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ARCHITECTURES } from '../../model/base/host.ts';
import { runFlightline, recordFrom } from '../support/flightline.ts';
import { emulate, FOREIGN, pushIndex } from '../support/emulation.ts';
import { makeProject } from '../support/project.ts';
import { digestOf, manifestOf, tagsOf } from '../support/registry.ts';
import { publishSmallBuilder } from '../support/small-builder.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { usePrivateContainersConf } from '../support/tools.ts';

const stack = sharedStack();
const base = `${stack.registry}/test/platforms-base`;
const { environment } = stack;
const image = { platforms: [`linux/${FOREIGN}`] };
const undo: (() => Promise<void>)[] = [];

beforeAll(async () => {
  undo.push(await usePrivateContainersConf());
  undo.push(await emulate());
  await pushIndex(`${base}:1`);
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

interface Index {
  mediaType: string;
  manifests: { digest: string; platform: { architecture: string }; annotations?: object }[];
}

const indexNow = async () => (await manifestOf(`${base}:1`)) as unknown as Index;

/** Replaces the base's index by another one of the same manifests, as when a further platform is added. */
async function changeIndex(): Promise<void> {
  const index = await indexNow();
  index.manifests[0]!.annotations = { changed: 'yes' };
  const [registry, ...path] = base.split('/');
  const answer = await fetch(`http://${registry}/v2/${path.join('/')}/manifests/1`, {
    method: 'PUT',
    headers: { 'content-type': index.mediaType },
    body: JSON.stringify(index),
  });
  expect(answer.status).toBe(201);
}

it('releases an index of two platforms, and one of each disk, signed and tagged whole and in parts', async () => {
  const before = (await digestOf(`${base}:1`))!;
  const { manifests } = await indexNow();
  const project = await makeProject({
    registry: stack.registry,
    name: 'two-platforms',
    // A base by tag, and one by the digest of its index.
    containerfile: `FROM ${base}@${before} AS tools\nRUN one\nFROM ${base}:1\nRUN two\nCOPY --from=tools /text /tool\n`,
    image: { platforms: ARCHITECTURES.map((one) => `linux/${one}`), alsoTag: ['stable'], tagPolicy: 'move' },
    disks: [{ type: 'qcow2', publish: 'container-disk' }, { type: 'raw' }],
    spec: { rebuild: 'when-changed', builder: { image: await publishSmallBuilder(stack.registry) } },
  });
  undo.push(() => project.remove());
  const run = async () => {
    const outcome = await runFlightline(['run', project.spec, '--json'], { environment });
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    return recordFrom(outcome);
  };
  const record = await run();
  const { digest, platforms } = record.image;
  expect(record).toMatchObject({ status: 'released', image: { verified: true } });
  const bases = ARCHITECTURES.flatMap((platform) => {
    const manifest = manifests.find((one) => one.platform.architecture === platform)!.digest;
    const references = [`${base}:1`, `${base}@${before}`];
    return references.map((reference) => ({ reference, digest: before, manifest, platform }));
  });
  expect(record.inputs!.base).toHaveLength(bases.length);
  expect(record.inputs!.base).toEqual(expect.arrayContaining(bases));

  const { repository, release } = project;
  expect(await manifestOf(release)).toMatchObject({
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: platforms!.map((one) => ({ digest: one.digest, platform: { architecture: one.platform, os: 'linux' } })),
  });
  const signatures = [digest, ...platforms!.map((one) => one.digest)].map((one) => `${one!.replace(':', '-')}.sig`);
  const names = ['v1', 'stable'].flatMap((tag) => [tag, ...ARCHITECTURES.map((one) => `${tag}-${one}`)]);
  expect(await tagsOf(repository)).toEqual([...signatures, ...names].sort());
  for (const architecture of ARCHITECTURES) {
    const platform = [`--override-arch=${architecture}`, '--override-os=linux'];
    const inspect = [...platform, 'inspect', '--config', '--tls-verify=false', `docker://${release}`];
    const { stdout } = await execa('skopeo', inspect);
    expect(JSON.parse(stdout)).toMatchObject({ architecture });
    // As a machine that follows the entry's own tag would.
    const entry = await runFlightline(['verify', `${release}-${architecture}`, '--key', stack.publicKey], {
      environment,
    });
    expect(entry.exitCode, entry.stderr).toBe(0);
  }
  const verified = await runFlightline(['verify', release, '--key', stack.publicKey], { environment });
  expect(verified.exitCode, verified.stderr).toBe(0);

  // Not in the project, whose files are the context.
  const elsewhere = await mkdtemp(join(tmpdir(), 'flightline-fetched-'));
  undo.push(() => rm(elsewhere, { recursive: true, force: true }));
  for (const disk of record.disks) {
    expect(disk).toMatchObject({ verified: true, file: null });
    expect(await manifestOf(disk.reference!)).toMatchObject({
      manifests: disk.platforms!.map((one) => ({
        digest: one.digest,
        platform: { architecture: one.platform, os: 'linux' },
        ...(disk.form === 'artifact' && { artifactType: 'application/vnd.diskimage.raw.gzip' }),
      })),
    });
    const of = disk.reference!.replace(/:v1$/, '');
    const signed = [disk.digest, ...disk.platforms!.map((one) => one.digest)];
    expect(await tagsOf(of)).toEqual(
      [...signed.map((one) => `${one!.replace(':', '-')}.sig`), 'v1', 'v1-amd64', 'v1-arm64'].sort(),
    );
    // Not the one that this machine would get.
    const { file } = disk.platforms!.find(({ platform }) => platform === FOREIGN)!;
    const which = ['--platform', `linux/${FOREIGN}`, '--output', join(elsewhere, disk.type)];
    const fetch = ['fetch', disk.reference!, ...which, '--key', stack.publicKey, '--json'];
    const fetched = await runFlightline(fetch, { environment });
    expect(fetched.exitCode, fetched.stderr).toBe(0);
    const { path, ...told } = JSON.parse(fetched.stdout) as { path: string };
    expect(told).toMatchObject({ platform: `linux/${FOREIGN}`, digest: disk.digest, sha256: file!.sha256 });
    const raw = join(elsewhere, `${disk.type}.raw`);
    if (disk.type === 'raw') await execa('gunzip', ['--stdout', path], { stdout: { file: raw } });
    else await execa('qemu-img', ['convert', '-O', 'raw', path, raw]);
    expect(String(await readFile(raw))).toContain(`a disk for ${FOREIGN}`);
  }

  await changeIndex();
  expect(await digestOf(`${base}:1`)).not.toBe(before);
  expect(await run()).toMatchObject({ status: 'unchanged', image: { digest, platforms } });
});

it('refuses a base that is not there for the platform before anything is built', async () => {
  const project = await makeProject({ registry: stack.registry, name: 'platform-missing', image });
  undo.push(() => project.remove());
  const outcome = await runFlightline(['run', project.spec, '--json'], { environment });
  expect(outcome.exitCode).toBe(1);
  const { failure } = recordFrom(outcome);
  expect(failure).toMatchObject({ kind: 'platform-missing', stage: 'resolve' });
  expect(failure!.message).toMatch(new RegExp(`debian-base:trixie, .* is for linux/.*, not for linux/${FOREIGN}$`));
});
