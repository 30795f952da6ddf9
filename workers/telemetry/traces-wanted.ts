/**
 * Whether traces are sent: whoever starts a worker or a command names a collector by OpenTelemetry's own variables,
 * which its exporter reads. Without them nothing of OpenTelemetry is loaded.
 *
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function tracesWanted(environment: NodeJS.ProcessEnv = process.env): boolean {
  const isOn = environment['OTEL_SDK_DISABLED']?.toLowerCase() !== 'true';
  return isOn && ENDPOINTS.some((name) => Boolean(environment[name]));
}

const ENDPOINTS = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'];

/** The sinks of workflow code that is traced, for a replay: nothing is sent. */
export const NO_SPANS = { exporter: { export: { fn: () => undefined, callDuringReplay: false } } };
