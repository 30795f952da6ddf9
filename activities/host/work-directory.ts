/** A host's work directory: its paths, and the installation id on all that is made from it. */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { FlightlineError } from '../../model/failure/failure.ts';
import { releaseKey } from '../../model/release/inputs.ts';
import type { Architecture } from '../../model/base/host.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { ActivityAnswer, ActivityInput, ActivityName } from '../../model/contract/activities.ts';
import type { ActivityContext } from '../server.ts';

/** An opened work directory. All paths are absolute. */
export interface WorkDirectory {
  readonly path: string;
  /** Random, created once: the value of the label `io.flightline.installation`. */
  readonly installation: string;
  /** Task tokens of running attempts. */
  readonly attempts: string;
  /** A file per granted lease. */
  readonly leases: string;
  /** A file per waiting claim. */
  readonly requests: string;
  /** Logs, by release. */
  readonly logs: string;
  /** Caches of RUN steps: a directory per project, whose time is that of its last use. */
  readonly caches: string;
  /** Directory of a release's own files (context, disks, layouts). Does not create it. */
  release(release: string): string;
  /** Directory of a release's logs. Does not create it. */
  releaseLogs(release: string): string;
}

/** What activities know of their build host. */
export interface HostContext {
  /** The host's name, stable across restarts. */
  readonly name: string;
  /** The machine's own. */
  readonly architecture: Architecture;
  /** What it builds for, by emulation where that is not its own. */
  readonly architectures: readonly Architecture[];
  readonly configuration: WorkerConfiguration;
  readonly work: WorkDirectory;
  /** When the worker process started, ISO 8601. */
  readonly startedAt: string;
}

/** The architecture, where the host runs programs of it by emulation only; null for its own. */
export function foreignTo(
  { architecture: own }: Pick<HostContext, 'architecture'>,
  architecture: Architecture,
): Architecture | null {
  return architecture === own ? null : architecture;
}

/**
 * The host for one platform of a release with several: with files of its own in the release's directory, so that two
 * platforms are built here side by side. The host itself where a release has one.
 */
export function hostForPlatform<Host extends Pick<HostContext, 'work'>>(
  host: Host,
  platform: Architecture | undefined,
): Host {
  if (platform === undefined) return host;
  const { work } = host;
  return { ...host, work: { ...work, release: (release) => join(work.release(release), platform) } };
}

/** The body of an activity of build hosts. */
export type HostBody<Name extends ActivityName> = (
  host: HostContext,
  input: ActivityInput<Name>,
  context: ActivityContext,
) => Promise<ActivityAnswer<Name>>;

/**
 * Opens a work directory, and creates it (0700) if needed.
 *
 * @throws FlightlineError `host-setup` when it cannot be created or its installation file is damaged.
 */
export async function openWorkDirectory(path: string): Promise<WorkDirectory> {
  const below = (name: string) => join(path, name);
  try {
    for (const directory of [
      path,
      below('attempts'),
      below('leases'),
      below('requests'),
      below('releases'),
      below('logs'),
    ]) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    }
    return {
      path,
      installation: await installationId(below('installation')),
      attempts: below('attempts'),
      leases: below('leases'),
      requests: below('requests'),
      logs: below('logs'),
      caches: below('caches'),
      release: (release) => join(path, 'releases', releaseKey(release)),
      releaseLogs: (release) => join(path, 'logs', releaseKey(release)),
    };
  } catch (error) {
    if (error instanceof FlightlineError) throw error;
    throw new FlightlineError('host-setup', `the work directory ${path} cannot be used: ${(error as Error).message}`, {
      remedy: 'make the directory writable for the worker, or set directories.work in the worker configuration',
    });
  }
}

async function installationId(file: string): Promise<string> {
  // Linked into place when complete, so that neither a crash nor a second process leaves or reads part of an id.
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, `${randomUUID()}\n`, { mode: 0o600 });
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
  const id = z.uuid().safeParse((await readFile(file, 'utf8')).trim());
  if (!id.success) {
    throw new FlightlineError('host-setup', `${file} does not hold an installation id`, {
      remedy: `remove ${file} if no release is running on this host; the worker creates a new id`,
    });
  }
  return id.data;
}
