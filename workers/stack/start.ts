/**
 * The embedded stack: a Temporal dev server with its Web UI, a registry and a worker for each role, in a directory that
 * keeps all state. Used by `flightline up`, the demo and the end-to-end tests.
 */
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ROLES, type Role } from '../../model/contract/queue.ts';
import { lockDirectory } from '../host/lock.ts';
import { defaultAuthfile } from './authfile.ts';
import { stackPaths } from './files.ts';
import { stackNeeds } from './needs.ts';
import { installedWorkerCommand, NAMESPACE, registryPlan, temporalPlan, workerPlan } from './plans.ts';
import { LOOPBACK } from './ports.ts';
import type { StackPorts } from './state.ts';
import { Supervisor } from './processes/supervisor.ts';
import { findTemporalCli } from './temporal-cli/temporal-cli.ts';
import type { StackOptions, Stack } from './stack.ts';
import { preparePorts, writeConfiguration, writeFiles } from './prepare.ts';

const IN_USE =
  'use the stack that runs there (its addresses are in the file `environment`), end it, or choose another --data';

/**
 * Starts a stack, and returns when it is ready.
 *
 * @throws FlightlineError `host-setup` when DIR is in use, a kept port is taken, a program is missing, or a process
 * does not start; what was started is then ended.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const paths = stackPaths(resolve(options.directory));
  const onEvent = options.onEvent ?? (() => undefined);
  const roles = ROLES.filter((role) => (options.roles ?? ROLES).includes(role));
  const registryProgram = stackNeeds({ roles, ownRegistry: options.registry === undefined });
  const lock = await lockDirectory(paths.directory, { name: 'stack.lock', remedy: IN_USE });
  try {
    await mkdir(paths.logs, { recursive: true, mode: 0o700 });
    const ports = await preparePorts(paths, options, onEvent);
    const cli = await findTemporalCli({ report: options.report });
    const registry = options.registry ?? `${LOOPBACK}:${ports.registry}`;
    const authfile = authfileOf(options);
    const environment = await writeFiles(paths, ports, registry, options);
    const configuration = await writeConfiguration(paths, registry, authfile, options);
    const own = registryProgram === null ? [] : [registryPlan(registryProgram, registry, paths)];
    const servers = [temporalPlan(cli.path, ports, paths), ...own];
    const workerCommand = options.workerCommand ?? installedWorkerCommand;
    const planOf = (role: Role) => workerPlan(role, workerCommand(role, paths.workerConfiguration), environment, paths);
    const workers = roles.map(planOf);
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
      await together(servers.map((plan) => supervisor.start(plan, 'needed', options.signal)));
      await together(workers.map((plan) => supervisor.start(plan, 'always', options.signal)));
    } catch (error) {
      await stop();
      // When the server died, report that, and not the worker that could not start because of it.
      throw fatal ?? error;
    }
    return {
      directory: paths.directory,
      paths,
      temporal: addressesOf(ports),
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

function authfileOf({ registry, authfile, registryAuth }: StackOptions): string | undefined {
  const login = registry ? (authfile ?? defaultAuthfile()) : registryAuth?.authfile;
  return login === undefined ? undefined : resolve(login);
}

function addressesOf(ports: StackPorts): Stack['temporal'] {
  return {
    address: `${LOOPBACK}:${ports.temporal}`,
    namespace: NAMESPACE,
    webUi: `http://${LOOPBACK}:${ports.ui}`,
  };
}

/** Waits for all, so that nothing is still starting when the first error is thrown. */
async function together(starts: readonly Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(starts)) if (end.status === 'rejected') throw end.reason;
}
