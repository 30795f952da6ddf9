/** Releases with a builder, whichever it is: its disks, a killed worker, cancellations in each phase, a refusal. */
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { builderContainers, containersCreated, leftOvers, podman } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf } from '../support/registry.ts';
import { startTestStack, TEST_TIMING, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

/** A real build takes minutes, and a quarter of an hour where it is emulated (ms). */
const BUILD = 25 * 60_000;

const SLOW = ' io.flightline.example.builder-seconds=40 io.flightline.example.manifest-seconds=10';

/** What is tried: images in podman's storage, or archives (`oci-archive:FILE`, `docker-archive:FILE`). */
export interface TriedBuilder {
  builder: string;
  /** A bootable image that the builder takes. */
  base: string;
  driver?: string | undefined;
  /** A bootable image that installs others. */
  installer?: string | undefined;
  /** The name of the image that an installer's file installs. */
  installed?: (iso: string) => Promise<string>;
}

/** Declares the tests of a builder, in a `describe`. */
export function testBuilderRuns(tried: () => Promise<TriedBuilder>): void {
  let stack: TestStack;
  let builder: string;
  let base: string;
  let given: TriedBuilder;
  let before: string;
  const projects: Project[] = [];

  beforeAll(async () => {
    stack = await startTestStack({
      configure: (configuration) => ({
        ...configuration,
        builders: [`${configuration.keys['release']!.repositories[0]}/real/builder`],
      }),
    });
    given = await tried();
    builder = await publish(given.builder, 'builder');
    base = await publish(given.base, 'base');
    before = await containers();
  }, BUILD);
  afterAll(async () => {
    for (const one of projects) await one.remove();
    await stack?.end();
  });

  async function publish(image: string, name: string): Promise<string> {
    const reference = `${stack.registry}/real/${name}:1`;
    const source = /^[a-z-]+archive:/.test(image) ? image : `containers-storage:${image}`;
    await execa('skopeo', [
      '--insecure-policy',
      'copy',
      '--quiet',
      '--dest-tls-verify=false',
      source,
      `docker://${reference}`,
    ]);
    return reference;
  }

  /** Every container of the host, whoever made it. */
  const containers = () => podman(stack, ['ps', '--all', '--no-trunc', '--format', '{{.ID}} {{.Image}} {{.Command}}']);

  async function project(
    name: string,
    types: readonly (string | object)[],
    { slow = false, files = {} }: { slow?: boolean; files?: Record<string, string> } = {},
  ): Promise<Project> {
    const config = Object.keys(files)[0];
    const made = await makeProject({
      registry: stack.registry,
      name: `real-${name}`,
      // The example builder takes so long then, and other builders do not mind.
      containerfile: `FROM ${base}\nLABEL test=${name}${slow ? SLOW : ''}\n`,
      disks: types.map((type) => ({ compress: 'none', ...(typeof type === 'string' ? { type } : type) })),
      spec: { builder: { image: builder, rootfs: 'ext4', driver: given.driver, config } },
      files,
    });
    projects.push(made);
    return made;
  }

  const environment = () => ({
    ...stack.environment,
    FLIGHTLINE_TIMING: JSON.stringify({ ...TEST_TIMING, holdFor: BUILD, retryFor: BUILD }),
  });
  const run = (made: Project, ...flags: string[]) =>
    startFlightline(['run', made.spec, '--json', ...flags], { environment: environment(), timeout: BUILD });

  /** What the builder has said so far. */
  async function said(): Promise<string> {
    const [container] = await builderContainers(stack);
    if (!container) return '';
    const { all } = await execa('podman', ['logs', container.id], { all: true, reject: false });
    return String(all);
  }
  const reaches = (phase: RegExp) =>
    eventually(`the builder says ${phase}`, async () => (phase.test(await said()) ? true : undefined), {
      timeout: BUILD,
    });

  async function leavesNothing(): Promise<void> {
    expect(await leftOvers(stack)).toEqual([]);
    expect(await containers()).toBe(before);
  }

  async function released(made: Project, ended: ReturnType<typeof run>): Promise<ReleaseRecord> {
    const { exitCode, stdout, stderr } = await ended;
    expect(exitCode, String(stderr)).toBe(0);
    const record = recordFrom({ exitCode: 0, stdout: String(stdout), stderr: String(stderr) });
    for (const disk of record.disks) expect(await digestOf(disk.reference!), disk.type).toBe(disk.digest);
    const verified = await runFlightline(['verify', made.release, '--key', stack.publicKey], {
      environment: environment(),
    });
    expect(verified.exitCode, verified.stderr).toBe(0);
    await leavesNothing();
    return record;
  }
  const typesOf = ({ disks }: ReleaseRecord) => disks.map(({ type }) => type);

  it.each([[['qcow2']], [['raw', 'vmdk']]])('makes %j', async (types) => {
    const made = await project(types.join('-'), types);
    expect(typesOf(await released(made, run(made)))).toEqual(types);
  });

  it('makes an installer of one image, with the release as what it installs', async (context) => {
    if (given.installer === undefined) return context.skip('no installer is given');
    const installer = await publish(given.installer, 'installer');
    const made = await project('installer', [{ type: 'bootc-installer', installer: { image: installer } }]);
    const kept = join(made.directory, 'kept');
    const record = await released(made, run(made, '--keep-files', kept));
    expect(typesOf(record)).toEqual(['bootc-installer']);
    expect(record.inputs!.installer).toEqual({ reference: installer, digest: await digestOf(installer) });
    const [disk] = record.disks;
    if (given.installed) expect(await given.installed(disk!.file!.path!)).toBe(made.release);
  });

  it('is found again when the build worker is killed', async () => {
    const since = Date.now();
    const made = await project('killed', ['qcow2'], { slow: true });
    const ended = run(made);
    await reaches(/^org\.osbuild\.\S+: [0-9a-f]/m);
    process.kill(stack.pidOf('build'), 'SIGKILL');
    expect(typesOf(await released(made, ended))).toEqual(['qcow2']);
    expect(await containersCreated(stack, since)).toBe(1);
  });

  it.each([
    ['manifest', /^Manifest generation step/m],
    ['build', /^org\.osbuild\.\S+: [0-9a-f]/m],
    ['export', /^org\.osbuild\.qemu: /m],
  ])('leaves nothing when it is cancelled in the %s phase', async (phase, line) => {
    const made = await project(`cancelled-${phase}`, ['qcow2'], { slow: true });
    const ended = run(made);
    await reaches(line);
    const cancelled = await runFlightline(['cancel', made.release], { environment: environment() });
    expect(cancelled.exitCode, cancelled.stderr).toBe(0);
    expect((await ended).exitCode).toBe(5);
    await leavesNothing();
  });

  it('is held for a configuration that it refuses', async () => {
    const config = '[[customizations.files]]\npath = "/usr/bin/x"\ndata = "x"\n';
    const made = await project('refused', ['qcow2'], { files: { 'config.toml': config } });
    const { exitCode, stdout, stderr } = await run(made);
    const { failure } = recordFrom({ exitCode: exitCode ?? -1, stdout: String(stdout), stderr: String(stderr) });
    expect(failure?.kind, failure?.message).toBe('builder-configuration');
    expect(failure?.message).toContain('/usr/bin/x');
    await runFlightline(['cancel', made.release], { environment: environment() });
    await leavesNothing();
  });
}
