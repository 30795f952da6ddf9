/** Releases for another architecture than the machine's, by emulation. */
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ARCHITECTURES } from '../../model/base/host.ts';
import { runFlightline, recordFrom } from '../support/flightline.ts';
import { emulate, FOREIGN, pushIndex } from '../support/emulation.ts';
import { makeProject } from '../support/project.ts';
import { blobOf, digestOf, manifestOf, tagsOf } from '../support/registry.ts';
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

/** Replaces the base's index by one in which only the entries for other platforms are others. */
async function changeOthers(): Promise<void> {
  const index = await indexNow();
  for (const entry of index.manifests)
    if (entry.platform.architecture !== FOREIGN) entry.annotations = { changed: 'yes' };
  const [registry, ...path] = base.split('/');
  const answer = await fetch(`http://${registry}/v2/${path.join('/')}/manifests/1`, {
    method: 'PUT',
    headers: { 'content-type': index.mediaType },
    body: JSON.stringify(index),
  });
  expect(answer.status).toBe(201);
}

it('releases for a platform that this machine emulates, and only what changed for that platform again', async () => {
  const index = (await digestOf(`${base}:1`))!;
  const entry = (await indexNow()).manifests.find(({ platform }) => platform.architecture === FOREIGN)!.digest;
  const project = await makeProject({
    registry: stack.registry,
    name: 'platforms',
    // A base by tag, and one by the digest of its index.
    containerfile: `FROM ${base}@${index} AS tools\nRUN one\nFROM ${base}:1\nRUN two\nCOPY --from=tools /text /tool\n`,
    image: { ...image, tagPolicy: 'move' },
    spec: { rebuild: 'when-changed' },
  });
  undo.push(() => project.remove());
  const run = async () => {
    const outcome = await runFlightline(['run', project.spec, '--json'], { environment });
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    return recordFrom(outcome);
  };

  const record = await run();
  expect(record).toMatchObject({ status: 'released', image: { verified: true } });
  expect(record.inputs!.base).toEqual(
    expect.arrayContaining([
      { reference: `${base}:1`, digest: index, manifest: entry },
      { reference: `${base}@${index}`, digest: index, manifest: entry },
    ]),
  );
  const manifest = (await manifestOf(project.release)) as unknown as { config: { digest: string }; manifests?: [] };
  expect(manifest.manifests).toBeUndefined();
  const config = JSON.parse(String(await blobOf(project.repository, manifest.config.digest))) as object;
  expect(config).toMatchObject({ architecture: FOREIGN, os: 'linux' });

  await changeOthers();
  expect(await digestOf(`${base}:1`)).not.toBe(index);
  expect(await run()).toMatchObject({ status: 'unchanged', image: { digest: record.image.digest } });
});

it('releases an index of two platforms, signed and tagged as a whole and in parts', async () => {
  const project = await makeProject({
    registry: stack.registry,
    name: 'two-platforms',
    containerfile: `FROM ${base}:1\nRUN one\nCOPY flightline.yaml /spec\n`,
    image: { platforms: ARCHITECTURES.map((one) => `linux/${one}`), alsoTag: ['stable'], tagPolicy: 'move' },
    spec: { rebuild: 'when-changed' },
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
  expect(record.inputs!.base.map(({ platform }) => platform)).toEqual(ARCHITECTURES);

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
