/** What podman needs on a machine whose defaults do not suit it, for tests that call it themselves. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containersConfText, planContainersConf } from '../../workers/host/containers-conf.ts';
import { machineFacts } from '../../workers/host/machine-facts.ts';

/** Sets up podman, as called by this process, for this machine. Returns a function that undoes it. */
export async function usePrivateContainersConf(): Promise<() => Promise<void>> {
  const before = process.env.CONTAINERS_CONF;
  const { settings } = planContainersConf(machineFacts());
  const directory = await mkdtemp(join(tmpdir(), 'flightline-conf-'));
  if (before === undefined && Object.keys(settings).length > 0) {
    process.env.CONTAINERS_CONF = join(directory, 'containers.conf');
    await writeFile(process.env.CONTAINERS_CONF, containersConfText(settings, 'for a test'));
  }
  return async () => {
    if (before === undefined) delete process.env.CONTAINERS_CONF;
    await rm(directory, { recursive: true, force: true });
  };
}
