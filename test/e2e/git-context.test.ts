/** A context in a git repository: looked up by the command, packed by the control worker. */
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { blobOf, digestOf, manifestOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';

const stack = sharedStack();
const { environment, registry } = stack;

let source: Project;
let project: Project;
let commit: string;

const git = async (...args: string[]) =>
  (
    await execa('git', ['-C', source.directory, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args])
  ).stdout.trim();

beforeAll(async () => {
  source = await makeProject({ registry, name: 'git-source', files: { 'os/from-git': 'yes\n' } });
  await source.write('os/Containerfile', `FROM ${registry}/flightline/debian-base:trixie\nCOPY from-git /usr/share/\n`);
  await git('init', '--quiet', '--initial-branch', 'main');
  await git('add', '.');
  await git('commit', '--quiet', '--message', 'first');
  commit = (await git('rev-parse', 'HEAD')).slice(0, 12);
  project = await makeProject({
    registry,
    name: 'git',
    tag: 'c-{{commit}}',
    image: { context: { git: `file://${source.directory}`, ref: 'main', subdirectory: 'os' } },
  });
});

afterAll(async () => {
  await source?.remove();
  await project?.remove();
});

it('is released under its commit', async () => {
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
