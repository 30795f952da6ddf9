/**
 * The SDK's runtime of this process: what the SDK and its native core log goes through the worker's own log, and what
 * they measure is offered to Prometheus, together with flightline's own metrics.
 */
import { Runtime, type MetricsExporterConfig } from '@temporalio/worker';
import type { Logger } from 'pino';
import { FlightlineError } from '../../model/failure/failure.ts';
import { STAGE_DURATION_BUCKETS } from '../../model/base/metric.ts';
import { ListenAddress } from '../../model/spec/worker-configuration.ts';
import { sdkLogger } from './log.ts';

/** Where metrics are offered, and what they say of this process. */
interface MetricsPlace {
  /** The label `host` of every metric. */
  host: string;
  /** `IP:PORT`; nowhere when undefined. */
  listen: string | undefined;
}

/**
 * Installs the SDK's runtime; once for a process, before the first connection.
 *
 * @throws FlightlineError `invalid-input` for a malformed metrics address, `host-setup` when it cannot be bound.
 */
export function installRuntime(logger: Logger, { host, listen }: MetricsPlace): void {
  // Below warnings the native core's log is of use only to debug the core.
  const core = logger.isLevelEnabled('trace') ? 'DEBUG' : logger.isLevelEnabled('debug') ? 'INFO' : 'WARN';
  const logging = { forward: {}, filter: { core, other: 'ERROR' } } as const;
  const metrics = listen === undefined ? {} : { metrics: exporter(host, listen) };
  try {
    Runtime.install({ logger: sdkLogger(logger), telemetryOptions: { logging, ...metrics } });
  } catch (error) {
    if (listen === undefined) throw error;
    const reason = (error as Error).message.replace(/^.*: /, '');
    throw new FlightlineError('host-setup', `metrics cannot be offered at ${listen}: ${reason}`, {
      remedy: 'end what listens there, or give each worker of this machine a port of its own (--metrics)',
    });
  }
}

/** Names after Prometheus' conventions: seconds, units in names, `_total` for counters. */
function exporter(host: string, listen: string): MetricsExporterConfig {
  const address = ListenAddress.safeParse(listen);
  if (!address.success) {
    throw new FlightlineError('invalid-input', `"${listen}" ${address.error.issues[0]!.message}`, {
      remedy: 'name an address of this machine with --metrics, or with `metrics.listen` in the worker configuration',
    });
  }
  return {
    globalTags: { host },
    prometheus: {
      bindAddress: address.data,
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
      histogramBucketOverrides: { flightline_stage_duration_seconds: STAGE_DURATION_BUCKETS },
    },
  };
}
