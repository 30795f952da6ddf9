/**
 * The client's way to Temporal: address, namespace and credentials from the TEMPORAL_* variables and profiles
 * (`@temporalio/envconfig`), and plain words when it or a control worker is not there.
 */
import type { Client, Connection, WorkflowExecutionDescription } from '@temporalio/client';
import type { loadClientConnectConfig } from '@temporalio/envconfig';
import { tracesWanted } from '../../workers/telemetry/traces-wanted.ts';
import { webUiPage } from '../../model/base/web-ui.ts';
import { errorMessage, grpcDetails, isNotFound, isRefused, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { absenceRemedy } from './absence.ts';

/** Milliseconds until a server that does not answer is called absent. */
const CONNECT_TIMEOUT = 5_000;
/** Milliseconds for one request; a query needs a worker that is there. */
export const REQUEST_TIMEOUT = 10_000;
/** Where the SDK connects when nothing is configured. */
const DEFAULT_ADDRESS = 'localhost:7233';

/** An open connection. */
export interface Temporal {
  readonly client: Client;
  readonly address: string;
  readonly namespace: string;
  /** The Web UI's address without a slash at its end, from FLIGHTLINE_WEB_UI; null when that is not set. */
  readonly ui: string | null;
  /** Runs requests that fail with DEADLINE_EXCEEDED after `timeout` milliseconds. */
  within<T>(timeout: number, request: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Connects, or says what is missing (exit code 3; 2 for a profile that cannot be read). */
async function connect(environment: NodeJS.ProcessEnv = process.env): Promise<Temporal> {
  // Loaded now: help, and what is wrong with a spec, do not wait for it.
  const sdk = await import('./sdk.ts');
  const { connectionOptions, namespace = 'default' } = loadConfiguration(environment, sdk.loadClientConnectConfig);
  const address = connectionOptions.address ?? DEFAULT_ADDRESS;
  const named = connectionOptions.address !== undefined;
  let connection: Connection;
  try {
    connection = await sdk.Connection.connect({ ...connectionOptions, connectTimeout: CONNECT_TIMEOUT });
  } catch (error) {
    throw isRefused(error) ? refused(address, error) : absent(address, error, named);
  }
  const traces = tracesWanted(environment) ? (await sdk.tracesOfSdk()).startTraces('flightline', {}) : undefined;
  const client = new sdk.Client({ connection, namespace, interceptors: traces?.client });
  const within = <T>(timeout: number, request: () => Promise<T>) =>
    connection.withDeadline(Date.now() + timeout, request);
  try {
    await within(REQUEST_TIMEOUT, () => connection.workflowService.describeNamespace({ namespace }));
  } catch (error) {
    await connection.close();
    if (isNotFound(error)) {
      throw new UserError(
        'no-namespace',
        `Temporal at ${address} has no namespace "${namespace}"`,
        'create it (temporal operator namespace create), or name another with TEMPORAL_NAMESPACE',
        EXIT.unavailable,
      );
    }
    // Some servers hide namespaces from ordinary accounts: what really is refused is met later.
    if (!isRefused(error)) throw absent(address, error, named);
    return open();
  }
  return open();

  async function close(): Promise<void> {
    // What was asked for has happened, whether or not a collector heard of it.
    await traces?.stop().catch(() => undefined);
    await connection.close();
  }

  function open(): Temporal {
    const ui = environment['FLIGHTLINE_WEB_UI']?.replace(/\/+$/, '') || null;
    return { client, address, namespace, ui, within, close };
  }
}

function loadConfiguration(
  environment: NodeJS.ProcessEnv,
  load: typeof loadClientConnectConfig,
): ReturnType<typeof loadClientConnectConfig> {
  const variables = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined);
  try {
    return load({ overrideEnvVars: Object.fromEntries(variables) });
  } catch (error) {
    throw new UserError(
      'temporal-configuration',
      `the Temporal configuration cannot be used: ${errorMessage(error)}`,
      'correct the TEMPORAL_* variables or the profile in temporal.toml',
      EXIT.usage,
      error,
    );
  }
}

function absent(address: string, cause: unknown, named: boolean): UserError {
  return new UserError(
    'no-temporal',
    `no Temporal server answers at ${address} (${grpcDetails(cause)})`,
    absenceRemedy(named, process.cwd()),
    EXIT.unavailable,
    cause,
  );
}

function refused(address: string, cause: unknown): UserError {
  return new UserError(
    'temporal-refused',
    `Temporal at ${address} refuses this client: ${grpcDetails(cause)}`,
    'check TEMPORAL_API_KEY, or the certificate named by TEMPORAL_TLS_CLIENT_CERT_PATH',
    EXIT.unavailable,
    cause,
  );
}

/** Runs work on a connection and closes it. */
export async function withTemporal<T>(
  work: (temporal: Temporal) => Promise<T>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<T> {
  const temporal = await connect(environment);
  try {
    return await work(temporal);
  } finally {
    await temporal.close();
  }
}

/** What the server says of a workflow, of its latest run unless one is named; undefined when it knows none. */
export async function describeWorkflow(
  temporal: Temporal,
  id: string,
  runId?: string,
): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await temporal.within(REQUEST_TIMEOUT, () => temporal.client.workflow.getHandle(id, runId).describe());
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The page of a workflow in the Web UI; null when the UI's address is not known. */
export function workflowPage(ui: string | null, namespace: string, release: string, runId: string): string | null {
  return ui === null ? null : webUiPage(ui, namespace, release, runId);
}
