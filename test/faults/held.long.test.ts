/**
 * Mistakes that a person fixes while the release waits: only the branch concerned is held, and what is done is kept.
 */
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { isFinal } from '../../model/stage/stage.ts';
import { recordFrom, runFlightline, startFlightline, type CommandOutcome } from '../support/flightline.ts';
import { builderContainers, containersCreated, leftOvers, podman } from '../support/host-state.ts';
import { makeProject, type Project, type ProjectOptions } from '../support/project.ts';
import { digestOf, registryAnswers, tagsOf } from '../support/registry.ts';
import { TEST_TIMING, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';
import { startFaultyStack } from './faulty-builder.ts';

let site: Awaited<ReturnType<typeof startFaultyStack>>;
let stack: TestStack;
const projects: Project[] = [];

beforeAll(async () => {
  site = await startFaultyStack(2);
  ({ stack } = site);
});
afterAll(async () => {
  for (const project of projects) await project.remove();
  await site?.end();
});

async function newProject(options: Omit<ProjectOptions, 'registry'>): Promise<Project> {
  const made = await makeProject({ registry: stack.registry, disks: [], ...options });
  projects.push(made);
  return made;
}

/** The first process of the builder that makes the iso, once the other disk's builder runs too. */
function runningIso(): Promise<number> {
  return eventually('both builders run', async () => {
    const found = (await builderContainers(stack)).filter(({ state }) => state === 'running');
    if (found.length < 2) return undefined;
    const format = '{{index .Config.Labels "io.flightline.branch"}} {{.State.Pid}}';
    const facts = await podman(stack, ['inspect', '--format', format, ...found.map(({ id }) => id)]);
    const pid = /^iso (\d+)$/m.exec(facts)?.[1];
    return pid === undefined ? undefined : Number(pid);
  });
}

function flightline(...args: string[]): Promise<CommandOutcome> {
  return runFlightline(args, { environment: stack.environment });
}

/** A release of two disks, held because the builder of its iso was killed while that of its qcow2 ran. */
async function heldIso(name: string): Promise<{ made: Project; held: ReleaseRecord; since: number }> {
  const since = Date.now();
  const made = await newProject({
    name,
    disks: [{ type: 'qcow2' }, { type: 'iso' }],
    spec: { builder: { image: site.references['slow'], rootfs: 'ext4' } },
  });
  const running = startFlightline(['run', made.spec, '--json'], { environment: stack.environment });
  process.kill(await runningIso(), 'SIGKILL');
  const held = recordFrom(outcome(await running, 4));
  expect(held.failure).toMatchObject({ kind: 'out-of-memory', stage: 'disk-build' });
  return { made, held, since };
}

/** Times at which the stages were done, to see later that they were not done again. */
function begins(record: ReleaseRecord, names: readonly string[]): Record<string, string | null> {
  const rows = record.stages.filter(({ name, subject }) => names.includes(`${name} ${subject}`));
  return Object.fromEntries(rows.map(({ name, subject, startedAt }) => [`${name} ${subject}`, startedAt]));
}

describe('a held branch', () => {
  it('lets the other disk finish; `retry` builds the lost one alone', async () => {
    const { made, held, since } = await heldIso('two-branches');
    const kept = ['build image', 'push image', 'sign image', 'disk-build qcow2', 'publish qcow2', 'verify qcow2'];
    for (const row of held.stages.filter(({ name, subject }) => kept.includes(`${name} ${subject}`))) {
      expect(row).toMatchObject({ status: 'done' });
    }
    expect(await digestOf(made.release)).toBeNull();
    const retried = await flightline('retry', made.release, '--json');
    expect(retried.exitCode, retried.stderr).toBe(0);
    const record = recordFrom(retried);
    expect(begins(record, kept)).toEqual(begins(held, kept));
    expect(await containersCreated(stack, since), 'containers that were created').toBe(3);
    for (const disk of record.disks) expect(await digestOf(disk.reference!)).toBe(disk.digest);
    expect(await leftOvers(stack)).toEqual([]);
  });

  it('finds that the registry has collected what had no tag yet: it is sent again, not built again', async () => {
    const { made, held, since } = await heldIso('collected');
    const qcow2 = held.disks.find(({ type }) => type === 'qcow2')!;
    const image = `${made.repository}@${held.image.digest}`;
    const disk = `${made.repository}/diskimage-qcow2@${qcow2.digest}`;
    expect([await digestOf(image), await digestOf(disk)]).toEqual([held.image.digest, qcow2.digest]);
    await collectGarbage(stack);
    expect([await digestOf(image), await digestOf(disk)], 'what had no tag').toEqual([null, null]);
    const retried = await flightline('retry', made.release, '--json');
    expect(retried.exitCode, retried.stderr).toBe(0);
    const record = recordFrom(retried);
    expect(record.image.digest).toBe(held.image.digest);
    // The disk's builder run looks again, and takes the file that it made: see the containers below.
    const kept = ['build image'];
    expect(begins(record, kept)).toEqual(begins(held, kept));
    expect(await containersCreated(stack, since), 'builders that ran').toBe(3);
    for (const one of [record.image, ...record.disks]) expect(await digestOf(one.reference!)).toBe(one.digest);
    const verified = await flightline('verify', made.release, '--key', stack.publicKey);
    expect(verified.exitCode, verified.stderr).toBe(0);
    expect(await leftOvers(stack)).toEqual([]);
  });

  it('of a wrong builder configuration takes the fixed one, and keeps the image', async () => {
    const made = await newProject({
      name: 'wrong-config',
      disks: [{ type: 'raw', publish: 'none' }],
      spec: {
        builder: { image: `${stack.registry}/flightline/debian-builder:1`, rootfs: 'ext4', config: 'config.toml' },
      },
      // What is in the context is an input of the image, the builder's configuration too unless it is left out.
      files: {
        // Not known before the disk is made: the manifest names the group too.
        'config.toml': '[[customizations.user]]\nname = "alice"\ngroups = ["no-such-group"]\n',
        '.containerignore': 'config.toml\nflightline.yaml\n',
      },
    });
    const run = await flightline('run', made.spec, '--json');
    expect(run.exitCode, run.stderr).toBe(4);
    const held = recordFrom(run);
    expect(held.failure).toMatchObject({ kind: 'builder-configuration', stage: 'disk-build' });
    expect(held.failure!.remedy.then).toBe('retry with the spec');
    await made.write('config.toml', '[customizations]\nhostname = "fixed"\n');
    const retried = await flightline('retry', made.release, '--spec', made.spec, '--json');
    expect(retried.exitCode, retried.stderr).toBe(0);
    const record = recordFrom(retried);
    expect(record.image.digest).toBe(held.image.digest);
    const kept = ['build image', 'push image', 'sign image'];
    expect(begins(record, kept)).toEqual(begins(held, kept));
    expect(await leftOvers(stack)).toEqual([]);
  });

  it('of a broken Containerfile takes the fixed one', async () => {
    const made = await newProject({ name: 'broken', lines: ['RUN false'] });
    const held = await flightline('run', made.spec, '--json');
    expect(held.exitCode, held.stderr).toBe(4);
    expect(recordFrom(held).failure).toMatchObject({ kind: 'containerfile', stage: 'build' });
    await made.write('Containerfile', `FROM ${stack.registry}/flightline/debian-base:trixie\nRUN true\n`);
    const retried = await flightline('retry', made.release, '--spec', made.spec, '--json');
    expect(retried.exitCode, retried.stderr).toBe(0);
    expect(await digestOf(made.release)).toBe(recordFrom(retried).image.digest);
    expect(await leftOvers(stack)).toEqual([]);
  });

  it('that nobody looks after is given up after `holdFor`', async () => {
    const made = await newProject({ name: 'forgotten', lines: ['RUN false'] });
    const environment = {
      ...stack.environment,
      FLIGHTLINE_TIMING: JSON.stringify({ ...TEST_TIMING, holdFor: 4_000 }),
    };
    const held = await runFlightline(['run', made.spec, '--json'], { environment });
    expect(held.exitCode, held.stderr).toBe(4);
    const record = await eventually('it has ended', async () => {
      const now = recordFrom(await flightline('status', made.release, '--json'));
      return isFinal(now.status) ? now : undefined;
    });
    expect(record).toMatchObject({ status: 'failed', failure: { kind: 'containerfile', stage: 'build' } });
    expect(await tagsOf(made.repository)).toEqual([]);
    expect(await leftOvers(stack)).toEqual([]);
  });
});

function outcome(
  result: { exitCode?: number | undefined; stdout: unknown; stderr: unknown },
  exitCode: number,
): CommandOutcome {
  expect(result.exitCode, String(result.stderr)).toBe(exitCode);
  return { exitCode, stdout: String(result.stdout), stderr: String(result.stderr) };
}

/**
 * Deletes what registries delete from time to time: manifests without a tag, and blobs that no manifest names. The
 * registry is started anew, since it remembers blobs that it has seen.
 */
async function collectGarbage({ stack: own, registry }: Pick<TestStack, 'stack' | 'registry'>): Promise<void> {
  const running = () => own.children().find(({ name }) => name === 'registry');
  const before = running()!;
  const program = (await execa('readlink', [`/proc/${before.pid}/exe`])).stdout;
  await execa(program, ['garbage-collect', '--delete-untagged', own.paths.registryConfiguration]);
  process.kill(before.pid, 'SIGKILL');
  await eventually('the registry answers again', async () => {
    return running()?.pid === before.pid ? undefined : registryAnswers(registry);
  });
}
