/** Storages of podman beside the machine's. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { unmountBelow } from '../../activities/tools/mounts.ts';

/** An empty storage. `podman` works in it; `close` removes it with what it holds. */
export interface Storage {
  root: string;
  runroot: string;
  /** Options that make podman use it. */
  flags: readonly string[];
  podman: typeof podman;
  close: () => Promise<void>;
}

/** Runs podman; its output without white space around it. */
async function podman(...args: string[]): Promise<string> {
  return (await execa('podman', args)).stdout.trim();
}

export async function openStorage(): Promise<Storage> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-storage-'));
  const [root, runroot] = [join(directory, 'root'), join(directory, 'run')];
  const flags = ['--root', root, '--runroot', runroot];
  await mkdir(runroot);
  return {
    root,
    runroot,
    flags,
    podman: (...args) => podman(...flags, ...args),
    close: async () => {
      // `podman system reset` also removes what every podman of the machine keeps in /run, and the machine's networks.
      await unmountBelow(directory);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * Gives this process's podman a storage of its own: what it builds does not lengthen the lists that podman makes for
 * others. The returned function takes it back.
 */
export async function usePrivateStorage(): Promise<() => Promise<void>> {
  const { root, runroot, close } = await openStorage();
  const before = process.env.CONTAINERS_STORAGE_CONF;
  process.env.CONTAINERS_STORAGE_CONF = join(runroot, 'storage.conf');
  const lines = ['[storage]', 'driver = "overlay"', `graphroot = "${root}"`, `runroot = "${runroot}"`];
  await writeFile(process.env.CONTAINERS_STORAGE_CONF, `${lines.join('\n')}\n`);
  return async () => {
    if (before === undefined) delete process.env.CONTAINERS_STORAGE_CONF;
    else process.env.CONTAINERS_STORAGE_CONF = before;
    await close();
  };
}
