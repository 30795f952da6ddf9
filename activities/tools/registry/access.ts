/**
 * How tools reach registries: which login, plain HTTP or TLS, and where signatures are. All of it is passed by explicit
 * flags and files in a private directory that lasts as long as the activity. Nothing is written under /etc.
 */
import { lstat, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { isLoopbackRegistry, registryOf } from '../../../model/oci/reference.ts';
import { mirrorsOf, registryFor, type WorkerConfiguration } from '../../../model/spec/worker-configuration.ts';
import { withTemporaryDirectory } from '../temporary-directory.ts';
import { identityOf, isAlive, isOutOfSight } from '../process/process-identity.ts';
import { loginsIn } from './login/login.ts';
import { RepositoryClient } from './repository.ts';
import type { Reach } from './repository-api.ts';
import type { ImageReader } from './reading/manifest-reader.ts';
import { MirroredImages } from './reading/mirrored-images.ts';
import { machineRegistriesConf, registriesConf } from './reading/registries-conf.ts';

/** The files that an activity needs for its repositories, and clients of the repositories. */
export class RegistryAccess implements Reach {
  /** Private directory (0700), removed afterwards. */
  readonly directory: string;
  /** One 0600 file with the logins of these repositories; `undefined` uses the caller's own default (client only). */
  readonly authfile: string | undefined;
  /**
   * A registries.d directory under which sigstore signatures are read and written as attachments, for every registry.
   */
  readonly registriesDirectory: string;
  /** A registries.conf with the mirrors of the worker configuration; undefined where it has none. */
  readonly registriesConf: string | undefined;
  readonly protocols: Reach['protocols'] = new Map();
  private readonly isInsecure: (repository: string) => boolean;
  private readonly hasMirrors: (repository: string) => boolean;
  private readonly clients = new Map<string, RepositoryClient>();

  /**
   * @param isInsecure allows plain HTTP or an unverified certificate, as loopback addresses always do
   * @param hasMirrors of a repository that `registriesConf` knows mirrors of
   */
  constructor(
    files: Pick<RegistryAccess, 'directory' | 'authfile' | 'registriesDirectory'> & { registriesConf?: string },
    isInsecure: (repository: string) => boolean = () => false,
    hasMirrors: (repository: string) => boolean = () => false,
  ) {
    this.registriesConf = files.registriesConf;
    this.hasMirrors = hasMirrors;
    this.directory = files.directory;
    this.authfile = files.authfile;
    this.registriesDirectory = files.registriesDirectory;
    this.isInsecure = isInsecure;
  }

  insecure(repository: string): boolean {
    return isLoopbackRegistry(registryOf(repository)) || this.isInsecure(repository);
  }

  /** A repository's client, the same one each time, since it keeps tokens. */
  repository(name: string): RepositoryClient {
    const client = this.clients.get(name) ?? new RepositoryClient(name, this);
    this.clients.set(name, client);
    return client;
  }

  /** `true` where podman and skopeo, given {@link RegistryAccess.registriesConf}, ask mirrors first. */
  isMirrored(repository: string): boolean {
    return this.registriesConf !== undefined && this.hasMirrors(repository);
  }

  /**
   * Images that others publish: of a mirror, where there is one. What a release writes is read from where it was
   * written, by {@link RegistryAccess.repository}, since a mirror may be behind.
   */
  images(name: string): ImageReader {
    const { registriesConf: conf, authfile } = this;
    if (conf === undefined || !this.hasMirrors(name)) return this.repository(name);
    return new MirroredImages(name, { registriesConf: conf, authfile });
  }
}

/**
 * Runs `body` with the access to repositories that the worker configuration grants. Removes the private files
 * afterwards.
 */
export async function withRegistryAccess<Result>(
  configuration: Pick<WorkerConfiguration, 'registries'>,
  repositories: readonly string[],
  body: (access: RegistryAccess) => Promise<Result>,
): Promise<Result> {
  return withDirectory(async (directory, registriesDirectory) => {
    const authfile = join(directory, 'auth.json');
    const auths = await collectLogins(configuration, repositories);
    await writeFile(authfile, JSON.stringify({ auths }), { mode: 0o600 });
    const isInsecure = (repository: string) => registryFor(configuration, repository)?.insecure ?? false;
    const hasMirrors = (repository: string) => mirrorsOf(configuration, repository).length > 0;
    const conf = repositories.some(hasMirrors) ? await writeRegistriesConf(configuration, directory) : undefined;
    const files = { directory, authfile, registriesDirectory, ...(conf && { registriesConf: conf }) };
    return body(new RegistryAccess(files, isInsecure, hasMirrors));
  });
}

/** The same for a person at the command line: their own logins, and plain HTTP on loopback addresses only. */
export async function withUserAccess<Result>(body: (access: RegistryAccess) => Promise<Result>): Promise<Result> {
  // containers-auth.json(5): this file also counts for the programs that are started here.
  const authfile = process.env['REGISTRY_AUTH_FILE'];
  return withDirectory((directory, registriesDirectory) =>
    body(new RegistryAccess({ directory, authfile, registriesDirectory })),
  );
}

/**
 * Retries once what a registry refused because of the login. Each program fetches its own token: the first one may have
 * expired during a long upload, or may not have been valid yet because clocks differ.
 *
 * @throws the error of the second try, which says so
 */
export async function withFreshToken<Result>(work: () => Promise<Result>): Promise<Result> {
  const isRefused = (error: unknown) => error instanceof FlightlineError && error.failure.kind === 'registry-login';
  try {
    return await work();
  } catch (error) {
    if (!isRefused(error)) throw error;
  }
  try {
    return await work();
  } catch (error) {
    if (!isRefused(error)) throw error;
    const { message } = (error as FlightlineError).failure;
    throw new FlightlineError('registry-login', `${message}; a fresh token made no difference`, { cause: error });
  }
}

/** The content of a registries.d file that keeps sigstore signatures in the registry, beside the image. */
const SIGSTORE_ATTACHMENTS = 'default-docker:\n  use-sigstore-attachments: true\n';

/** Prefix of private directories, whose names contain their process. */
const PREFIX = 'flightline-registry-';

/**
 * Removes the private directories of killed processes, since they hold logins. Leaves those of processes in other
 * containers, which we cannot see.
 */
export async function removeLeftAccess(): Promise<void> {
  for (const name of await readdir(tmpdir()).catch(() => [])) {
    const [, pid, started] = /^flightline-registry-(\d+)\.([^.]+)\./.exec(name) ?? [];
    if (pid === undefined || started === undefined) continue;
    const identity = { pid: Number(pid), started };
    if (isOutOfSight(identity) || isAlive(identity)) continue;
    const path = join(tmpdir(), name);
    // Another user may make a directory of this name, and put a link into the way of what is removed in it.
    if ((await lstat(path).catch(() => null))?.uid !== process.geteuid?.()) continue;
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function withDirectory<Result>(
  body: (directory: string, registriesDirectory: string) => Promise<Result>,
): Promise<Result> {
  // Only Linux tells it; a person's machine may run another system.
  const own = identityOf(process.pid);
  return withTemporaryDirectory(own ? `${PREFIX}${own.pid}.${own.started}.` : PREFIX, async (directory) => {
    const registriesDirectory = join(directory, 'registries.d');
    await mkdir(registriesDirectory);
    await writeFile(join(registriesDirectory, 'default.yaml'), SIGSTORE_ATTACHMENTS);
    return body(directory, registriesDirectory);
  });
}

async function collectLogins(
  configuration: Pick<WorkerConfiguration, 'registries'>,
  repositories: readonly string[],
): Promise<Record<string, unknown>> {
  const auths: Record<string, unknown> = {};
  const mirrors = repositories.flatMap((repository) => mirrorsOf(configuration, repository));
  for (const repository of [...repositories, ...mirrors]) {
    const registry = registryFor(configuration, repository);
    if (registry?.authfile) Object.assign(auths, await loginsIn(registry.authfile, repository));
  }
  return auths;
}

/** @throws FlightlineError `host-setup` when the machine's own file cannot be read */
async function writeRegistriesConf(
  { registries }: Pick<WorkerConfiguration, 'registries'>,
  directory: string,
): Promise<string> {
  const file = join(directory, 'registries.conf');
  try {
    await writeFile(file, registriesConf(registries, await machineRegistriesConf()) ?? '');
  } catch (error) {
    throw new FlightlineError(
      'host-setup',
      `the machine's registries.conf cannot be read: ${(error as Error).message}`,
      {
        remedy: 'correct it: podman and skopeo do not read it either',
      },
    );
  }
  return file;
}
