/** Prepares the directory of a stack: its ports, and the files that its processes read. */
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { chooseHostName, joinedConfiguration } from '../configuration.ts';
import { containersConfText, mergeSettings, planContainersConf } from '../host/containers-conf.ts';
import { machineFacts } from '../host/machine-facts.ts';
import {
  environmentText,
  registryConfigurationText,
  stackWorkerConfiguration,
  temporalProfileText,
  workerConfigurationText,
  type StackPaths,
} from './files.ts';
import { ensureKey } from './keys.ts';
import { linkCommand, NAMESPACE } from './plans.ts';
import { assertPortFree, chooseFreePorts, LOOPBACK } from './ports.ts';
import { readState, stateFile, writeState, type StackPorts } from './state.ts';
import { endLeftOvers, type StackEvent } from './processes/supervisor.ts';
import type { StackOptions } from './stack.ts';

export async function preparePorts(
  paths: StackPaths,
  options: StackOptions,
  onEvent: (event: StackEvent) => void,
): Promise<StackPorts> {
  const state = readState(paths.directory);
  if (!state) {
    const [temporal, ui, registry] = (await chooseFreePorts(3)) as [number, number, number];
    const ports = { temporal, ui, registry };
    writeState(paths.directory, { version: 1, ports, children: [] });
    return ports;
  }
  await endLeftOvers(state.children, onEvent);
  const { ports } = state;
  const file = stateFile(paths.directory);
  await assertPortFree('Temporal dev server', ports.temporal, file);
  await assertPortFree('Temporal Web UI', ports.ui, file);
  if (!options.registry) await assertPortFree('registry', ports.registry, file);
  return ports;
}

/** Writes the generated files except worker.yaml. Returns the variables of DIR/environment. */
export async function writeFiles(
  paths: StackPaths,
  ports: StackPorts,
  registry: string,
  options: StackOptions,
): Promise<Record<string, string>> {
  await ensureKey(paths);
  const target = { address: `${LOOPBACK}:${ports.temporal}`, namespace: NAMESPACE };
  await writeFile(paths.temporalProfile, temporalProfileText(target));
  if (!options.registry) {
    await mkdir(paths.registry, { recursive: true, mode: 0o700 });
    await writeFile(
      paths.registryConfiguration,
      registryConfigurationText({
        storage: paths.registry,
        address: `${LOOPBACK}:${ports.registry}`,
        auth: options.registryAuth,
      }),
    );
  }
  const containersConf = await writeContainersConf(paths);
  const environment = {
    TEMPORAL_ADDRESS: target.address,
    TEMPORAL_NAMESPACE: target.namespace,
    TEMPORAL_CONFIG_FILE: paths.temporalProfile,
    FLIGHTLINE_WEB_UI: `http://${LOOPBACK}:${ports.ui}`,
    FLIGHTLINE_REGISTRY: registry,
    FLIGHTLINE_PUBLIC_KEY: paths.publicKey,
    ...(containersConf ? { CONTAINERS_CONF: containersConf } : {}),
  };
  await linkCommand(paths.programs);
  await writeFile(paths.environment, environmentText(environment, paths.programs));
  return environment;
}

/** Writes DIR/containers.conf when podman's own settings do not work here. Keeps the machine's other settings. */
async function writeContainersConf(paths: StackPaths): Promise<string | undefined> {
  // A shell that has read DIR/environment names the file that is about to be written. It must not count as the user's
  // own.
  const environment =
    process.env['CONTAINERS_CONF'] === paths.containersConf
      ? { ...process.env, CONTAINERS_CONF: undefined }
      : process.env;
  const facts = machineFacts(environment);
  const plan = planContainersConf(facts);
  if (plan.reasons.length === 0) {
    await rm(paths.containersConf, { force: true });
    return undefined;
  }
  await writeFile(
    paths.containersConf,
    containersConfText(
      mergeSettings(facts.configured, plan.settings),
      `Written by the embedded stack, because ${plan.reasons.join('; ')}.`,
    ),
  );
  return paths.containersConf;
}

export async function writeConfiguration(
  paths: StackPaths,
  registry: string,
  authfile: string | undefined,
  options: StackOptions,
): Promise<WorkerConfiguration> {
  const generated = stackWorkerConfiguration({
    paths,
    host: chooseHostName(options.hostName, {}),
    registry,
    authfile,
  });
  const joined = await withGiven(paths, generated, options.workerConfiguration);
  const configuration = options.configure?.(joined) ?? joined;
  await writeFile(paths.workerConfiguration, workerConfigurationText(configuration), { mode: 0o600 });
  await chmod(paths.workerConfiguration, 0o600);
  return configuration;
}

/** Joins what was given at this start, or at an earlier one, and keeps it once it is known to be right. */
async function withGiven(
  paths: StackPaths,
  generated: WorkerConfiguration,
  given: string | undefined,
): Promise<WorkerConfiguration> {
  const file = paths.givenConfiguration;
  const text = given ?? (await readFile(file, 'utf8').catch(() => null));
  if (text === null) return generated;
  const joined = joinedConfiguration(generated, text, given === undefined ? file : '--worker-config');
  if (given !== undefined) await writeFile(file, given, { mode: 0o600 });
  return joined;
}
