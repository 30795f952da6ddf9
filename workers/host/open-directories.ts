/** The directories of a worker, each locked against a second worker. `undo` gets what unlocks it. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { renewLeases } from '../../activities/host/leases.ts';
import { openWorkDirectory, type HostContext } from '../../activities/host/work-directory.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { Role } from '../../model/contract/queue.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { machineArchitecture } from '../configuration.ts';
import { lockDirectory } from './lock.ts';

/** Opens this host for a build worker, and locks its work directory; undefined without that role. */
export async function openHost(
  roles: readonly Role[],
  name: string,
  configuration: WorkerConfiguration,
  undo: (() => unknown)[],
): Promise<HostContext | undefined> {
  if (!roles.includes('build')) return undefined;
  const architecture = machineArchitecture();
  const work = await openWorkDirectory(configuration.directories.work);
  const lock = await lockDirectory(work.path, {
    name: 'worker.lock',
    remedy: 'end that worker first, or give this one a work directory of its own (directories.work)',
  });
  undo.push(() => lock.release());
  const architectures = [...new Set(configuration.architectures ?? [architecture])];
  const startedAt = new Date().toISOString();
  const host: HostContext = { name, architecture, architectures, configuration, work, startedAt };
  // It fails on a full disk. The worker must start in order to clean up; leases then lapse.
  await renewLeases(host).catch(() => undefined);
  return host;
}

/** A sign worker works without a directory. With one, a restart is noticed at once, and a second signer is refused. */
export async function openSignDirectory(
  configuration: WorkerConfiguration,
  logger: Logger,
  undo: (() => unknown)[],
): Promise<string | undefined> {
  const directory = join(configuration.directories.work, 'sign');
  try {
    const lock = await lockDirectory(directory, {
      name: 'worker.lock',
      remedy: 'two signers overwrite the signatures of each other: end that worker first',
    });
    undo.push(() => lock.release());
    return directory;
  } catch (error) {
    if (error instanceof FlightlineError) throw error;
    logger.warn({ error }, `${directory} cannot be used: after a kill, signing resumes only after a heartbeat timeout`);
    return undefined;
  }
}
