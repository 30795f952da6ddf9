/** Workers that are killed: what they were doing goes on, and nothing is done twice. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { installationOf, leftOvers, podman } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf, storedManifests, tagsOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

let stack: TestStack;
const projects: Project[] = [];

beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(async () => {
  for (const project of projects) await project.remove();
  await stack?.end();
});

/** Containers of builder runs: id and start time, `podman ps` fields. */
async function builderContainers(): Promise<{ id: string; state: string }[]> {
  const installation = await installationOf(stack);
  const filter = `label=io.flightline.installation=${installation}`;
  const listed = await podman(stack, [
    'ps',
    '--all',
    '--no-trunc',
    '--filter',
    filter,
    '--format',
    '{{.ID}} {{.State}}',
  ]);
  return listed
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ id: line.split(' ')[0]!, state: line.split(' ')[1]! }));
}

/** How many containers podman has created with this installation's label since the stack began. */
async function containersCreated(since: string): Promise<number> {
  const installation = await installationOf(stack);
  const { stdout } = await execa(
    'podman',
    [
      'events',
      '--stream=false',
      '--since',
      since,
      '--filter',
      'event=create',
      '--filter',
      `label=io.flightline.installation=${installation}`,
      '--format',
      '{{.Name}}',
    ],
    { env: { ...stack.environment, PODMAN_IGNORE_CGROUPSV1_WARNING: '1' } },
  );
  return stdout.split('\n').filter((line) => line !== '').length;
}

describe('a build worker that is killed in the middle of a disk build', () => {
  it('finds its container again when it is back; the builder ran once', async () => {
    const since = String(Math.floor(Date.now() / 1000));
    const project = await makeProject({
      registry: stack.registry,
      name: 'killed',
      lines: ['LABEL io.flightline.example.builder-seconds=25'],
      disks: [{ type: 'qcow2' }],
    });
    projects.push(project);
    const { environment } = stack;
    const running = startFlightline(['run', project.spec, '--json'], { environment });
    const [before] = await eventually('the builder runs', async () => {
      const found = (await builderContainers()).filter(({ state }) => state === 'running');
      return found.length > 0 ? found : undefined;
    });
    process.kill(stack.pidOf('build'), 'SIGKILL');
    // The stack starts it again by itself, as systemd would.
    await eventually('the worker is back', async () => {
      try {
        process.kill(stack.pidOf('build'), 0);
        return (await builderContainers()).length === 1 ? true : undefined;
      } catch {
        return undefined;
      }
    });
    expect((await builderContainers()).map(({ id }) => id)).toEqual([before!.id]);
    const result = await running;
    expect(result.exitCode, String(result.stderr)).toBe(0);
    const record = recordFrom({ exitCode: 0, stdout: String(result.stdout), stderr: String(result.stderr) });
    expect(record.status).toBe('released');
    const stage = record.stages.find(({ name }) => name === 'disk-build')!;
    expect(stage.attempts).toBeGreaterThan(1);
    expect(await containersCreated(since), 'containers that were created').toBe(1);
    expect(await digestOf(record.disks[0]!.reference!)).toBe(record.disks[0]!.digest);
    expect(await leftOvers(stack)).toEqual([]);
  });
});

describe('a sign worker that is killed between signature and tag', () => {
  it('adopts the signature: one for each digest, and each before its tag', async () => {
    const project = await makeProject({ registry: stack.registry, name: 'sign-killed', disks: [] });
    projects.push(project);
    const path = project.repository.slice(stack.registry.length + 1);
    const { environment } = stack;
    const running = startFlightline(['run', project.spec, '--json'], { environment });
    await eventually(
      'the signature is stored',
      async () => (await tagsOf(project.repository)).some((tag) => tag.endsWith('.sig')) || undefined,
      { interval: 20 },
    );
    process.kill(stack.pidOf('sign'), 'SIGKILL');
    expect(await digestOf(project.release), 'the tag at the time of the kill').toBeNull();
    const result = await running;
    expect(result.exitCode, String(result.stderr)).toBe(0);
    const record = recordFrom({ exitCode: 0, stdout: String(result.stdout), stderr: String(result.stderr) });
    const stored = (await storedManifests(join(stack.directory, 'logs/registry.log'))).filter((name) =>
      name.startsWith(`${path}:`),
    );
    const signature = `${path}:${record.image.digest!.replace(':', '-')}.sig`;
    expect(
      stored.filter((name) => name === signature),
      'signatures written',
    ).toHaveLength(1);
    expect(stored.indexOf(`${path}:v1`)).toBeGreaterThan(stored.indexOf(signature));
    const verified = await runFlightline(['verify', project.release, '--key', stack.publicKey], { environment });
    expect(verified.exitCode, verified.stderr).toBe(0);
    expect(await readFile(stack.registryLog, 'utf8')).toContain(path);
    expect(await leftOvers(stack)).toEqual([]);
  });
});
