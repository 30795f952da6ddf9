/**
 * The builder container: its command line, what to do with an existing one, and which files are its result. Pure.
 */
import { join } from 'node:path';
import type { BuilderDriverName } from '../../../model/builder/builder-driver.ts';
import type { DiskType } from '../../../model/spec/disk.ts';
import { BRANCH_LABEL, INPUTS_LABEL, INSTALLATION_LABEL, RELEASE_LABEL } from '../../../model/oci/labels.ts';
import type { ContainerState } from '../podman/container/container-state.ts';
import { builderDriver } from './drivers.ts';
import type { BuilderRequest } from './driver.ts';

/**
 * Where the builder expects the host's storage. It accepts no other path (bib, "could not access container storage").
 */
const STORAGE = '/var/lib/containers/storage';
/** Bytes after which conmon truncates the container's log. */
const LOG_SIZE = '256mb';

/** Identifies a builder container. */
interface BuilderIdentity {
  installation: string;
  release: string;
  branch: string;
  /** Digest over the disk inputs. */
  inputs: string;
}

/** The parameters of a builder run. */
export interface BuilderCommand extends BuilderIdentity, BuilderRequest {
  /** Absent for the usual one. */
  driver: BuilderDriverName | undefined;
  /** Name of the container. */
  name: string;
  /** The builder image, by digest. */
  builder: string;
  /** Absolute paths on the host. */
  output: string;
  log: string;
  graphRoot: string;
  /** Further volumes, `from:to:ro`. */
  volumes: readonly string[];
}

/** The labels by which a builder container is found again. */
function builderLabels(identity: BuilderIdentity): Record<string, string> {
  return {
    [INSTALLATION_LABEL]: identity.installation,
    [RELEASE_LABEL]: identity.release,
    [BRANCH_LABEL]: identity.branch,
    [INPUTS_LABEL]: identity.inputs,
  };
}

/** Arguments of `podman`: the guide's command line, detached and without a terminal. */
export function builderArguments(command: BuilderCommand): string[] {
  return [
    'run',
    '--detach',
    `--name=${command.name}`,
    '--pull=never',
    // conmon writes this file even without a worker, so the log is whole after a restart.
    '--log-driver=k8s-file',
    `--log-opt=path=${command.log}`,
    `--log-opt=max-size=${LOG_SIZE}`,
    ...Object.entries(builderLabels(command)).map(([name, value]) => `--label=${name}=${value}`),
    ...privileged(command),
    ...volume(command.output, '/output'),
    ...command.volumes.map((one) => `--volume=${one}`),
    command.builder,
    ...builderDriver(command.driver).arguments.build(command),
  ];
}

/** The parameters of the builder's `manifest` command, which prints what a build would do, and builds nothing. */
export interface ManifestCommand extends Pick<
  BuilderCommand,
  'name' | 'builder' | 'driver' | 'graphRoot' | keyof BuilderRequest
> {}

/** Arguments of `podman` for the builder's `manifest` command. */
export function manifestArguments(command: ManifestCommand): string[] {
  return [
    'run',
    '--rm',
    `--name=${command.name}`,
    '--pull=never',
    ...privileged(command),
    command.builder,
    ...builderDriver(command.driver).arguments.manifest(command),
  ];
}

/** Flags that let the builder mount and inspect the image, its storage, and the configuration. */
function privileged({ config, driver, graphRoot, options }: Omit<ManifestCommand, 'name'>): string[] {
  const { configuration } = builderDriver(driver);
  return [
    ...(options.network ? [`--network=${options.network}`] : []),
    '--privileged',
    '--security-opt=label=type:unconfined_t',
    ...(config ? volume(config.path, `${configuration.path(config.format)}:ro`) : []),
    ...volume(graphRoot, STORAGE),
  ];
}

function volume(from: string, to: string): [string, string] {
  return ['--volume', `${from}:${to}`];
}

/**
 * `start`: there is none. `attach`: it is running. `collect`: it has ended. `replace`: it never ran, or its end is
 * unknown.
 */
type BuilderDecision = 'start' | 'attach' | 'collect' | 'replace';

/**
 * Decides what to do with the container of a builder run. `conmon`: the process that notes its exit code is alive.
 * Without conmon a container says `running` for ever.
 */
export function decideBuilder(
  container: Pick<ContainerState, 'status' | 'ended'> | null,
  conmon: boolean,
): BuilderDecision {
  if (!container) return 'start';
  switch (container.status) {
    case 'running':
    case 'paused':
    case 'stopping':
      return conmon ? 'attach' : 'replace';
    case 'exited':
    case 'stopped':
      // A container that a reboot ended is `exited` with exit code 0, and its disk is half written.
      return container.ended ? 'collect' : 'replace';
    // `created`, `configured`, `initialized`: the worker died, or the host was restarted, before it ran. `removing`,
    // `unknown`: it has no result.
    default:
      return 'replace';
  }
}

/** The facts of a directory entry that a result needs. */
export interface OutputEntry {
  name: string;
  file: boolean;
  /** Bytes. */
  size: number;
}

/** The answer of {@link pickResult}: the file's name, or why there is no result. */
type ResultChoice = { ok: true; name: string; size: number } | { ok: false; problem: string };

/** A disk type's result: the one regular file in its directory (names differ between builders and versions). */
export function pickResult(type: DiskType, directory: string, entries: readonly OutputEntry[]): ResultChoice {
  const files = entries.filter((entry) => entry.file);
  const [only] = files;
  if (files.length !== 1 || !only) {
    const found =
      files.length === 0 ? 'no file' : `${files.length} files (${files.map(({ name }) => name).join(', ')})`;
    return { ok: false, problem: `the builder left ${found} in ${directory}/ for ${type}, where one is expected` };
  }
  if (only.size === 0) return { ok: false, problem: `the builder left an empty file ${join(directory, only.name)}` };
  return { ok: true, name: only.name, size: only.size };
}

/** crypt(5) hashes of any method: `$6$salt$…`. */
const HASH = /\$(?:[1-9]|2[abxy]|y|gy|7|sha1|md5)\$[./A-Za-z0-9$,=]{8,}/g;
const PASSWORD = /("(?:plaintext_)?password"\s*:\s*)"(?:[^"\\]|\\.)*"/gi;

/** A line of the builder without passwords and their hashes, since osbuild prints the options of every stage. */
export function withoutPasswords(line: string): string {
  return line.replace(PASSWORD, '$1"[secret]"').replace(HASH, '[secret]');
}
