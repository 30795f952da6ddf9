/** How workers find Temporal: by TEMPORAL_* variables and profiles, read by `@temporalio/envconfig`. */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnection, NativeConnectionOptions } from '@temporalio/worker';
import { FlightlineError } from '../../model/failure/failure.ts';

/** No Temporal server answers, or the namespace is missing. The command line ends with exit code 3. */
class TemporalUnreachableError extends Error {
  readonly kind = 'no-temporal';
  /** gRPC's UNAVAILABLE, so that it is treated like any other call without a server. */
  readonly code = 14;
  /** What to do next, in one line. */
  readonly remedy: string;
  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TemporalUnreachableError';
    this.remedy = remedy;
  }
}

/** What the environment and profiles say. */
interface TemporalTarget {
  connectionOptions: NativeConnectionOptions;
  /** `host:port`. */
  address: string;
  namespace: string;
}

/** Where the SDK looks when nothing is configured. */
const DEFAULT_ADDRESS = 'localhost:7233';
const DEFAULT_NAMESPACE = 'default';

/**
 * Reads where Temporal is.
 *
 * @throws FlightlineError `invalid-input` for a profile that does not exist or a file that cannot be read.
 */
export function temporalTarget(environment: NodeJS.ProcessEnv = process.env): TemporalTarget {
  try {
    const { connectionOptions, namespace } = loadClientConnectConfig({
      overrideEnvVars: Object.fromEntries(
        Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
      ),
    });
    return {
      connectionOptions,
      address: connectionOptions.address ?? DEFAULT_ADDRESS,
      namespace: namespace ?? DEFAULT_NAMESPACE,
    };
  } catch (error) {
    throw new FlightlineError(
      'invalid-input',
      `cannot use the Temporal configuration: ${error instanceof Error ? error.message : String(error)}`,
      {
        remedy: 'check the TEMPORAL_* variables and the profile in the file that TEMPORAL_CONFIG_FILE names',
        cause: error,
      },
    );
  }
}

/**
 * Connects, and checks that the namespace exists.
 *
 * @throws TemporalUnreachableError when nothing answers, or the namespace is missing.
 */
export async function connectToTemporal(target: TemporalTarget): Promise<NativeConnection> {
  const { NativeConnection: Native } = await import('@temporalio/worker');
  let connection: NativeConnection;
  try {
    connection = await Native.connect(target.connectionOptions);
  } catch (error) {
    throw new TemporalUnreachableError(
      `no Temporal server answers at ${target.address}: ${connectionProblem(error)}`,
      'start one, or name it in TEMPORAL_ADDRESS or a profile; `flightline up` starts an embedded one',
      { cause: error },
    );
  }
  try {
    await connection.withDeadline(Date.now() + 10_000, () =>
      connection.workflowService.describeNamespace({ namespace: target.namespace }),
    );
    return connection;
  } catch (error) {
    await connection.close();
    throw new TemporalUnreachableError(
      `Temporal at ${target.address} does not serve the namespace "${target.namespace}": ${connectionProblem(error)}`,
      'name the namespace in TEMPORAL_NAMESPACE or the profile, and check the credentials',
      { cause: error },
    );
  }
}

/** Why a connection or call failed: finds `Connection refused` in nested error texts. */
export function connectionProblem(error: unknown): string {
  const { details, message } = error as { details?: string; message?: string };
  const text = details || message || String(error);
  return /message: "([^"]+)"/.exec(text)?.[1] ?? text;
}
