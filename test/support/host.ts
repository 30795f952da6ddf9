/** A build host of its own for a test: a work directory in a temporary directory, no worker. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openWorkDirectory, type HostContext } from '../../activities/host/work-directory.ts';
import { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';

/** Makes a host; `remove` takes its files away. */
export async function temporaryHost({
  architectures = ['amd64'],
  ...configuration
}: {
  architectures?: WorkerConfiguration['architectures'];
  emulatedDisks?: boolean;
  limits?: Partial<WorkerConfiguration['limits']>;
  builders?: string[];
  secrets?: WorkerConfiguration['secrets'];
} = {}): Promise<HostContext & { remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'flightline-host-'));
  return {
    name: 'host-a',
    architecture: 'amd64',
    architectures,
    configuration: WorkerConfiguration.parse({ directories: { work: path }, ...configuration }),
    work: await openWorkDirectory(path),
    startedAt: '2026-01-01T00:00:00.000Z',
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
