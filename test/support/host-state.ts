/** What a release left on the host, seen from outside of flightline. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { BRANCH_LABEL, INSTALLATION_LABEL } from '../../model/oci/labels.ts';
import type { StackFacts } from './stack.ts';

/** A host as seen from outside: its work directory and the way to its podman. */
export interface HostFiles extends Pick<StackFacts, 'work' | 'environment'> {
  /** Program and arguments that run another program where the host's worker runs; none for this machine itself. */
  enter?: readonly string[];
}

/** Runs podman as the host's worker does. */
export async function podman(host: Omit<HostFiles, 'work'>, args: readonly string[]): Promise<string> {
  const [program, ...before] = [...(host.enter ?? []), 'podman'];
  const { stdout } = await execa(program!, [...before, ...args], {
    env: { ...host.environment, PODMAN_IGNORE_CGROUPSV1_WARNING: '1' },
  });
  return stdout;
}

/** The stack's installation id. */
export async function installationOf(stack: Pick<StackFacts, 'work'>): Promise<string> {
  return (await readFile(join(stack.work, 'installation'), 'utf8')).trim();
}

/**
 * Everything of the stack's installation that a finished release must not leave: containers, work directories, leases,
 * requests, attempts.
 */
export async function leftOvers(stack: HostFiles): Promise<string[]> {
  const installation = await installationOf(stack);
  const containers = await podman(stack, [
    'ps',
    '--all',
    '--filter',
    `label=io.flightline.installation=${installation}`,
    '--format',
    'container {{.Names}} {{.Status}}',
  ]);
  const files = await Promise.all(
    ['releases', 'leases', 'requests', 'attempts'].map(async (name) =>
      (await readdir(join(stack.work, name))).map((file) => `${name}/${file}`),
    ),
  );
  return [...containers.split('\n').filter((line) => line !== ''), ...files.flat()];
}

/** A container of a host. */
export interface HostContainer {
  id: string;
  name: string;
  /** podman's word: `running`, `exited`, … */
  state: string;
}

/** The containers of the host's installation, in whatever state: those of builder runs above all. */
export async function builderContainers(stack: HostFiles): Promise<HostContainer[]> {
  const label = `label=${INSTALLATION_LABEL}=${await installationOf(stack)}`;
  const format = '{{.ID}} {{.Names}} {{.State}}';
  const listed = await podman(stack, ['ps', '--all', '--no-trunc', '--filter', label, '--format', format]);
  return listed
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id, name, state] = line.split(' ') as [string, string, string];
      return { id, name, state };
    });
}

/** The part of `podman events` that tells containers apart. */
const ContainerEvent = z.object({ Attributes: z.record(z.string(), z.string()).nullish() });

/** A builder's container has the label of its branch; one in which an image is looked at has none, or the image's. */
function isBuilder(event: string): boolean {
  const branch = ContainerEvent.parse(JSON.parse(event)).Attributes?.[BRANCH_LABEL];
  return branch !== undefined && branch !== 'image';
}

/**
 * How many builder containers podman has created for the stack since a moment (milliseconds since 1970). Containers
 * that only look into an image are not counted.
 */
export async function containersCreated(
  stack: Pick<StackFacts, 'work' | 'environment'>,
  since: number,
): Promise<number> {
  const label = `label=${INSTALLATION_LABEL}=${await installationOf(stack)}`;
  const filters = ['--filter=event=create', '--filter', label];
  const period = `--since=${Math.floor(since / 1_000)}`;
  const events = await podman(stack, ['events', '--stream=false', period, ...filters, '--format={{json .}}']);
  return events.split('\n').filter((line) => line !== '' && isBuilder(line)).length;
}

/**
 * buildah's containers that builds of the stack work in; they have no labels, and buildah's own note names the cgroup.
 */
export async function workingContainers(stack: Pick<StackFacts, 'work' | 'environment'>): Promise<string[]> {
  const installation = await installationOf(stack);
  const info = JSON.parse(await podman(stack, ['info', '--format', '{{json .Store}}'])) as {
    graphRoot: string;
    graphDriverName: string;
  };
  const directory = join(info.graphRoot, `${info.graphDriverName}-containers`);
  const found: string[] = [];
  for (const id of await readdir(directory)) {
    const note = await readFile(join(directory, id, 'userdata/buildah.json'), 'utf8').catch(() => '');
    if (note.includes(installation) || note.includes(installation.replaceAll('-', ''))) found.push(id);
  }
  return found;
}

/** The processes of the stack's image builds: podman itself and the RUN steps in its cgroups. */
export async function buildProcesses(stack: Pick<StackFacts, 'work'>): Promise<{ pid: number; command: string }[]> {
  const installation = await installationOf(stack);
  const names = [installation, installation.replaceAll('-', '')];
  const found: { pid: number; command: string }[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const [cgroup, command] = await Promise.all([read('cgroup'), read('cmdline')]);
    // One that has ended has no command line left, and is gone once its parent has asked for its end.
    if (command === '') continue;
    if (!names.some((name) => cgroup.includes(name) || command.includes(`--cgroup-parent=/flightline/${name}`)))
      continue;
    found.push({ pid: Number(pid), command: command.replaceAll('\0', ' ').trim() });
  }
  return found;
}

/** The pids of the stack's QEMU machines of boot tests. */
export async function bootMachines(stack: Pick<StackFacts, 'work'>): Promise<number[]> {
  const name = `flightline-boot-test-${await installationOf(stack)}`;
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(name)) found.push(Number(pid));
  }
  return found;
}
