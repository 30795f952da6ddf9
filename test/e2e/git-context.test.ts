/** A context in a git repository: looked up by the command, packed by the control worker. */
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sha256 } from '../../model/base/digest.ts';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { blobOf, digestOf, manifestOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';

const stack = sharedStack();
const { environment, registry } = stack;

const LARGE = 'in Git LFS\n'.repeat(1000);
const OID = sha256(LARGE);

let drivers: Project;
let source: Project;
let project: Project;
let commit: string;

const IDENTITY = ['user.name=t', 'user.email=t@example.org', 'protocol.file.allow=always'];
const git = async ({ directory }: Project, ...args: string[]) =>
  (await execa('git', ['-C', directory, ...IDENTITY.flatMap((one) => ['-c', one]), ...args])).stdout.trim();

async function commitAll(made: Project): Promise<void> {
  await git(made, 'add', '.');
  await git(made, 'commit', '--quiet', '--message', 'first');
}

beforeAll(async () => {
  drivers = await makeProject({ registry, name: 'git-drivers', files: { 'driver.conf': 'a driver\n' } });
  source = await makeProject({ registry, name: 'git-source', files: { 'os/from-git': 'yes\n' } });
  for (const made of [drivers, source]) await git(made, 'init', '--quiet', '--initial-branch', 'main');
  await commitAll(drivers);
  const containerfile = [
    `FROM ${registry}/flightline/debian-base:trixie`,
    'COPY from-git drivers/driver.conf model.bin /usr/share/',
    `RUN cd /usr/share && grep 'a driver' driver.conf && echo '${OID}  model.bin' | sha256sum --check`,
  ];
  await source.write('os/Containerfile', `${containerfile.join('\n')}\n`);
  await source.write('os/.gitattributes', '*.bin filter=lfs diff=lfs merge=lfs -text\n');
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${OID}\nsize ${LARGE.length}\n`;
  await source.write('os/model.bin', pointer);
  await source.write(`.git/lfs/objects/${OID.slice(0, 2)}/${OID.slice(2, 4)}/${OID}`, LARGE);
  await git(source, 'submodule', '--quiet', 'add', `file://${drivers.directory}`, 'os/drivers');
  await commitAll(source);
  commit = (await git(source, 'rev-parse', 'HEAD')).slice(0, 12);
  project = await makeProject({
    registry,
    name: 'git',
    tag: 'c-{{commit}}',
    image: { context: { git: `file://${source.directory}`, ref: 'main', subdirectory: 'os' } },
  });
});

afterAll(async () => {
  await drivers?.remove();
  await source?.remove();
  await project?.remove();
});

it('is released under its commit, with its submodule and what lies in Git LFS', async () => {
  const outcome = await runFlightline(['run', project.spec, '--json'], { environment });
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const record = recordFrom(outcome);
  const reference = `${project.repository}:c-${commit}`;
  expect(record.image).toEqual({ reference, digest: await digestOf(reference), verified: true });
  const { config } = (await manifestOf(reference)) as unknown as { config: { digest: string } };
  const { config: image } = JSON.parse(String(await blobOf(project.repository, config.digest)));
  expect(image.Labels).toMatchObject({
    'org.opencontainers.image.revision': commit,
    'org.opencontainers.image.version': `c-${commit}`,
    'io.flightline.inputs': record.inputs!.image,
  });
  expect(await leftOvers(stack)).toEqual([]);
});

it('is refused when the repository has no such ref', async () => {
  const wrong = await makeProject({
    registry,
    name: 'git-wrong',
    image: { context: { git: `file://${source.directory}`, ref: 'nowhere' } },
  });
  try {
    const outcome = await runFlightline(['run', wrong.spec, '--json'], { environment });
    expect(outcome.exitCode).toBe(2);
    expect(JSON.parse(outcome.stdout).error.message).toContain('nowhere');
  } finally {
    await wrong.remove();
  }
});
