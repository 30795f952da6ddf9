/** What podman needs on a machine whose defaults do not suit it, for tests that call it themselves. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { containersConfText, planContainersConf } from '../../workers/host/containers-conf.ts';
import { machineFacts } from '../../workers/host/machine-facts.ts';

/** Lets podman, called by this process, work on this machine. Returns what takes it back. */
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

/**
 * Gives this process's podman a storage of its own, empty: what it builds does not lengthen the lists that podman makes
 * for others. The returned function removes it.
 */
export async function usePrivateStorage(): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-images-'));
  const [root, run] = [join(directory, 'root'), join(directory, 'run')];
  const before = process.env.CONTAINERS_STORAGE_CONF;
  process.env.CONTAINERS_STORAGE_CONF = join(directory, 'storage.conf');
  const lines = ['[storage]', 'driver = "overlay"', `graphroot = "${root}"`, `runroot = "${run}"`];
  await writeFile(process.env.CONTAINERS_STORAGE_CONF, `${lines.join('\n')}\n`);
  return async () => {
    if (before === undefined) delete process.env.CONTAINERS_STORAGE_CONF;
    else process.env.CONTAINERS_STORAGE_CONF = before;
    const place = ['--root', root, '--runroot', run];
    await execa('podman', [...place, 'image', 'unmount', '--all', '--force'], { reject: false });
    await execa('podman', [...place, 'system', 'reset', '--force'], { reject: false });
    await rm(directory, { recursive: true, force: true });
  };
}
