/** The processes of an embedded stack: their command lines and environments, and when each is ready. */
import { existsSync } from 'node:fs';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { packageRoot } from '../../activities/tools/package-root.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { Role } from '../../model/contract/queue.ts';
import { withWorkerMemory } from '../memory.ts';
import { devServerSearchAttributes } from '../temporal/search-attributes.ts';
import type { ChildPlan } from './processes/child.ts';
import type { StackPaths } from './files.ts';
import { LOOPBACK } from './ports.ts';
import type { StackPorts } from './state.ts';
import { hasReadyEvent } from '../telemetry/log.ts';
import { devServerPace, NO_HTTP_API, DATABASE_MODE } from './temporal-cli/dev-server.ts';

/** The one namespace of the dev server. */
export const NAMESPACE = 'default';

/** A start on two busy cores (ms). */
const SERVER_READY = 60_000;
const WORKER_READY_WITHIN = 120_000;
/** A worker gives its activities at most 30 s (workers/run.ts), then needs a moment (ms). */
const WORKER_STOP = 40_000;
const SERVER_STOP = 10_000;
const PROBE = 2_000;

/** `temporal server start-dev` with a database file and the Web UI. */
export function temporalPlan(cli: string, ports: StackPorts, paths: StackPaths): ChildPlan {
  return {
    name: 'temporal',
    title: 'Temporal dev server',
    command: [
      cli,
      'server',
      'start-dev',
      '--ip',
      LOOPBACK,
      '--port',
      String(ports.temporal),
      '--ui-port',
      String(ports.ui),
      '--db-filename',
      paths.database,
      ...DATABASE_MODE,
      '--log-level',
      'warn',
      ...devServerSearchAttributes(),
      ...devServerPace(),
      ...NO_HTTP_API,
    ],
    environment: withoutTemporal(process.env),
    logFile: join(paths.logs, 'temporal.log'),
    isReady: async () =>
      (await answers(`http://${LOOPBACK}:${ports.ui}/`)) && (await serves(`${LOOPBACK}:${ports.temporal}`)),
    readyWithin: SERVER_READY,
    stopWithin: SERVER_STOP,
  };
}

/** The stack's own registry. */
export function registryPlan(program: string, address: string, paths: StackPaths): ChildPlan {
  return {
    name: 'registry',
    title: 'registry',
    command: [program, 'serve', paths.registryConfiguration],
    environment: process.env,
    logFile: join(paths.logs, 'registry.log'),
    isReady: () => answers(`http://${address}/v2/`),
    readyWithin: SERVER_READY,
    stopWithin: SERVER_STOP,
  };
}

/** How a worker process is started; tests pass another one. */
export type WorkerCommand = (role: Role, configurationFile: string) => readonly [string, ...string[]];

/** The program `flightline` of this installation. */
function installedCommand(): string {
  return join(packageRoot(), 'dist/client/main.js');
}

/** Links it into a directory for PATH: a shell that has read DIR/environment has the version that runs the stack. */
export async function linkCommand(programs: string): Promise<void> {
  const link = join(programs, 'flightline');
  await mkdir(programs, { recursive: true });
  await rm(link, { force: true });
  await symlink(installedCommand(), link);
}

/** `flightline worker --role ROLE` of this installation. */
export function installedWorkerCommand(role: Role, configurationFile: string): readonly [string, ...string[]] {
  const main = installedCommand();
  if (!existsSync(main)) {
    throw new FlightlineError('host-setup', `${main} is missing`, { remedy: 'run `npm run build` first' });
  }
  return [process.execPath, main, 'worker', '--role', role, '--config', configurationFile];
}

/** A worker of one role. */
export function workerPlan(
  role: Role,
  command: readonly [string, ...string[]],
  variables: Record<string, string>,
  paths: StackPaths,
): ChildPlan {
  return {
    name: role,
    title: `${role} worker`,
    command,
    environment: withWorkerMemory({ ...withoutTemporal(process.env), ...variables }),
    logFile: join(paths.logs, `worker-${role}.log`),
    isReady: async (log) => hasReadyEvent(await log()),
    readyWithin: WORKER_READY_WITHIN,
    stopWithin: WORKER_STOP,
  };
}

/** The user's own TEMPORAL_* variables (profile, API key, TLS) must not reach the stack's processes. */
function withoutTemporal(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

/** `true` when an HTTP server answers, even if only with a request for a login. */
async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE) });
    await response.body?.cancel();
    return response.status < 500 && response.status !== 404;
  } catch {
    return false;
  }
}

/** `true` when the server's frontend is serving and the namespace exists. */
async function serves(address: string): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: PROBE });
    const { workflowService } = connection;
    await connection.withDeadline(Date.now() + PROBE, () =>
      workflowService.describeNamespace({ namespace: NAMESPACE }),
    );
    return true;
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}
