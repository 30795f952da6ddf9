/** Real tools for a test file that needs no Temporal: a registry of its own, and a containers.conf with which podman works here. */
import { spawn } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containersConfText, machineFacts, planContainersConf } from '../../workers/containers-conf.ts';
import { registryConfigurationText } from '../../workers/stack/files.ts';
import { REGISTRY_PROGRAMS } from '../../workers/stack/plans.ts';
import { chooseFreePorts } from '../../workers/stack/ports.ts';
import { eventually } from './wait.ts';

/** A running registry. */
export interface TestRegistry {
  /** `127.0.0.1:PORT`. */
  address: string;
  /** File with a line for each request. */
  log: string;
  end(): Promise<void>;
}

/** Starts a registry with an empty storage. */
export async function startRegistry(): Promise<TestRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-registry-of-test-'));
  const [port] = await chooseFreePorts(1);
  const address = `127.0.0.1:${port}`;
  const configuration = join(directory, 'registry.yml');
  await writeFile(configuration, registryConfigurationText({ storage: join(directory, 'storage'), address }));
  const log = join(directory, 'registry.log');
  const output = await open(log, 'a');
  const [program] = REGISTRY_PROGRAMS;
  const child = spawn(program, ['serve', configuration], { stdio: ['ignore', output.fd, output.fd] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  await output.close();
  await eventually('the registry answers', async () => {
    const answer = await fetch(`http://${address}/v2/`).catch(() => undefined);
    return answer?.ok ? true : undefined;
  });
  return {
    address,
    log,
    end: async () => {
      child.kill('SIGKILL');
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

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
