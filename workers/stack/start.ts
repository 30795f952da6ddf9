/**
 * The embedded stack: a Temporal dev server with its Web UI, a registry and a worker for each role, in a directory that
 * keeps all state. Used by `flightline up`, the demo and the end-to-end tests.
 */
import { existsSync } from 'node:fs';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { FlightlineError } from '../../model/failure/failure.ts';
import { ROLES, type Role } from '../../model/contract/queue.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { chooseHostName } from '../configuration.ts';
import { containersConfText, machineFacts, mergeSettings, planContainersConf } from '../host/containers-conf.ts';
import { lockDirectory } from '../host/lock.ts';
import { defaultAuthfile } from './authfile.ts';
import {
  environmentText,
  registryConfigurationText,
  stackPaths,
  stackWorkerConfiguration,
  temporalProfileText,
  workerConfigurationText,
  type RegistryAuth,
  type StackPaths,
} from './files.ts';
import { ensureKey } from './keys.ts';
import {
  installedWorkerCommand,
  linkCommand,
  NAMESPACE,
  REGISTRY_PROGRAMS,
  registryPlan,
  temporalPlan,
  workerPlan,
  type WorkerCommand,
} from './plans.ts';
import { assertPortFree, chooseFreePorts, LOOPBACK } from './ports.ts';
import { readState, stateFile, writeState, type ChildState, type StackPorts } from './state.ts';
import { endLeftOvers, Supervisor, type StackEvent } from './supervisor.ts';
import { findTemporalCli } from './temporal-cli.ts';

export interface StackOptions {
  /** Keeps everything. Created (0700) if needed. */
  directory: string;
  /** An existing registry, `quay.io/acme` or `127.0.0.1:5000`, instead of the stack's own. */
  registry?: string;
  /** containers-auth.json(5) with the log-in for that registry; default is where `podman login` leaves it. */
  authfile?: string;
  /** Makes the stack's own registry require a log-in. */
  registryAuth?: RegistryAuth;
  /** Workers to run; default all. */
  roles?: readonly Role[];
  /** Default is the machine's name. */
  hostName?: string;
  /** Changes the generated worker configuration before it is written. */
  configure?: (configuration: WorkerConfiguration) => WorkerConfiguration;
  /** How a worker process is started; default is this installation's `flightline worker`. */
  workerCommand?: WorkerCommand;
  /** Called when something happens to the processes. */
  onEvent?: (event: StackEvent) => void;
  /** Called with a line about each thing that takes long, such as building the Temporal CLI. */
  report?: (line: string) => void;
  /** Gives up starting, and ends what was started. */
  signal?: AbortSignal;
}

/** A running stack. */
export interface Stack {
  readonly directory: string;
  readonly paths: StackPaths;
  readonly temporal: {
    /** `127.0.0.1:port`, gRPC. */
    address: string;
    namespace: string;
    /** `http://127.0.0.1:port`. */
    webUi: string;
  };
  /** Address of the registry; with a path when an existing one was given with it. */
  readonly registry: string;
  readonly configuration: WorkerConfiguration;
  /** The log-in for the registry, if it needs one. */
  readonly authfile: string | undefined;
  /** What DIR/environment exports. */
  readonly environment: Record<string, string>;
  /** The running processes. */
  children(): ChildState[];
  /** Resolves when the server or the registry has died repeatedly and the stack has been stopped. Never rejects. */
  readonly failed: Promise<Error>;
  /** Ends the workers, then the registry, then the server. May be called more than once. */
  stop(): Promise<void>;
}

/**
 * Starts a stack, and returns when all of it is ready.
 *
 * @throws FlightlineError `host-setup` when DIR is in use, a kept port is taken, a program is missing, or a process
 * does not start; what was started is then ended.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const paths = stackPaths(resolve(options.directory));
  const onEvent = options.onEvent ?? (() => undefined);
  const roles = ROLES.filter((role) => (options.roles ?? ROLES).includes(role));
  const lock = await lockDirectory(paths.directory, {
    name: 'stack.lock',
    remedy:
      'use the stack that runs there (its addresses are in the file `environment`), end it, or choose another --data',
  });
  try {
    await mkdir(paths.logs, { recursive: true, mode: 0o700 });
    const ports = await preparePorts(paths, options, onEvent);
    const cli = await findTemporalCli(options.report ? { report: options.report } : {});
    const registry = options.registry ?? `${LOOPBACK}:${ports.registry}`;
    const login = options.registry ? (options.authfile ?? defaultAuthfile()) : options.registryAuth?.authfile;
    const authfile = login === undefined ? undefined : resolve(login);
    const environment = await writeFiles(paths, ports, registry, options);
    const configuration = await writeConfiguration(paths, registry, authfile, options);
    const workerCommand = options.workerCommand ?? installedWorkerCommand;
    const workers = roles.map((role) =>
      workerPlan(role, workerCommand(role, paths.workerConfiguration), environment, paths),
    );
    const registryProcess = options.registry
      ? undefined
      : registryPlan(findRegistryProgram(), `${LOOPBACK}:${ports.registry}`, paths);

    let fatal: Error | undefined;
    let fail: (error: Error) => void = () => undefined;
    const failed = new Promise<Error>((settle) => (fail = settle));
    const supervisor = new Supervisor({
      directory: paths.directory,
      ports,
      onEvent,
      onFatal: (error) => {
        fatal ??= error;
        const tell = () => fail(error);
        stop().then(tell, tell);
      },
    });
    let stopped: Promise<void> | undefined;
    const stop = () => (stopped ??= supervisor.stop([roles, ['registry'], ['temporal']]).finally(() => lock.release()));
    try {
      await together([
        supervisor.start(temporalPlan(cli.path, ports, paths), 'needed', options.signal),
        ...(registryProcess ? [supervisor.start(registryProcess, 'needed', options.signal)] : []),
      ]);
      await together(workers.map((plan) => supervisor.start(plan, 'always', options.signal)));
    } catch (error) {
      await stop();
      // When the server died, report that, and not the worker that could not start because of it.
      throw fatal ?? error;
    }
    return {
      directory: paths.directory,
      paths,
      temporal: {
        address: `${LOOPBACK}:${ports.temporal}`,
        namespace: NAMESPACE,
        webUi: `http://${LOOPBACK}:${ports.ui}`,
      },
      registry,
      configuration,
      authfile,
      environment,
      children: () => supervisor.running(),
      failed,
      stop,
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Waits for all, so that nothing is still starting when the first error is thrown. */
async function together(starts: readonly Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(starts)) if (end.status === 'rejected') throw end.reason;
}

async function preparePorts(
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
async function writeFiles(
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

async function writeConfiguration(
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
  const configuration = options.configure?.(generated) ?? generated;
  await writeFile(paths.workerConfiguration, workerConfigurationText(configuration), { mode: 0o600 });
  await chmod(paths.workerConfiguration, 0o600);
  return configuration;
}

function findRegistryProgram(): string {
  for (const name of REGISTRY_PROGRAMS) {
    for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
      if (isAbsolute(directory) && existsSync(join(directory, name))) return join(directory, name);
    }
  }
  throw new FlightlineError('host-setup', `no registry program is installed (${REGISTRY_PROGRAMS.join(' or ')})`, {
    remedy:
      'install the package docker-registry (Debian, Ubuntu) or docker-distribution (Fedora), or name one with --registry',
  });
}
