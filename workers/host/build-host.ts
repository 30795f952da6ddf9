/** The build host of this machine as an operator steers it, beside the worker that serves it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beginDrain, endDrain, type Draining } from '../../activities/host/drain.ts';
import { isVoid, type Lease } from '../../activities/host/lease-decision.ts';
import { readLeaseFiles } from '../../activities/host/lease-files.ts';
import { openWorkDirectory } from '../../activities/host/work-directory.ts';
import { chooseHostName, loadWorkerConfiguration } from '../configuration.ts';

/** What a release keeps here, and what for; `slot` is null when only its files are left. */
export type HostLease = Pick<Lease, 'release' | 'branch' | 'slot'>;

/** A build host. */
interface BuildHost {
  name: string;
  /** Its work directory. */
  path: string;
  /** Lets it take no claims; one that takes none already keeps its time. */
  drain(comment: string | null): Promise<Draining>;
  /** Lets it take claims again; `false` when it did. */
  undrain(): Promise<boolean>;
  /** What releases need of it now. */
  leases(): Promise<HostLease[]>;
}

/** The host of a worker configuration; `null` and its work directory where no build worker has been. */
export async function openBuildHost(configurationFile?: string): Promise<BuildHost | { name: null; path: string }> {
  const { configuration } = await loadWorkerConfiguration(configurationFile);
  const name = chooseHostName(undefined, configuration);
  const path = configuration.directories.work;
  if (!existsSync(join(path, 'installation'))) return { name: null, path };
  const work = await openWorkDirectory(path);
  return {
    name,
    path,
    drain: (comment) => beginDrain(work, comment),
    undrain: () => endDrain(work),
    leases: async () => {
      const { leases } = await readLeaseFiles({ name, work, configuration });
      return leases
        .filter((lease) => !isVoid(lease, new Date()))
        .map(({ release, branch, slot }) => ({ release, branch, slot }));
    },
  };
}
