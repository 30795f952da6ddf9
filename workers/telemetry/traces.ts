/**
 * Traces of releases, by OpenTelemetry: the SDK's own interceptors pass the trace from the client to workflows and to
 * activities, and each program that an activity runs is a span too. Only a process that sends traces loads this file.
 */
import { diag, DiagLogLevel, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResourcesSync, envDetectorSync, Resource } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Next, WorkflowClientInterceptor, WorkflowDescribeInput, WorkflowQueryInput } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';
// oxlint-disable-next-line no-restricted-imports -- a folder of that name in the SDK
import { OpenTelemetryWorkflowClientInterceptor } from '@temporalio/interceptors-opentelemetry/lib/client/index.js';
import {
  makeWorkflowExporter,
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryActivityOutboundInterceptor,
} from '@temporalio/interceptors-opentelemetry/lib/worker/index.js';
import { observeCommands } from '../../activities/tools/process/command.ts';
import { version } from '../../activities/tools/version.ts';

/** What a process that sends traces gives to the SDK. */
export interface Traces {
  /** For a client of Temporal. */
  client: { workflow: WorkflowClientInterceptor[] };
  /** For a worker. */
  worker: Required<Pick<WorkerOptions, 'interceptors' | 'sinks'>>;
  /** Sends what is left. */
  stop(): Promise<void>;
}

/**
 * Begins to send traces to where OpenTelemetry's variables say.
 *
 * @param service name of this process among those of a trace; OTEL_SERVICE_NAME replaces it.
 * @param warn is told what could not be sent.
 */
export function startTraces(
  service: string,
  facts: Record<string, string>,
  warn: (message: string) => void = () => undefined,
): Traces {
  const silent = () => undefined;
  diag.setLogger({ error: warn, warn, info: silent, debug: silent, verbose: silent }, DiagLogLevel.WARN);
  const own = new Resource({ 'service.name': service, 'service.version': version(), ...facts });
  const resource = own.merge(detectResourcesSync({ detectors: [envDetectorSync] }));
  const processor = new BatchSpanProcessor(new OTLPTraceExporter());
  const provider = new BasicTracerProvider({ resource, spanProcessors: [processor] });
  provider.register({ contextManager: new AsyncLocalStorageContextManager() });
  const client = { workflow: [new QuietClientInterceptor()] };
  traceCommands(trace.getTracer('flightline'));
  return {
    client,
    worker: {
      interceptors: {
        client,
        activity: [
          (context) => ({
            inbound: new OpenTelemetryActivityInboundInterceptor(context),
            outbound: new OpenTelemetryActivityOutboundInterceptor(context),
          }),
        ],
      },
      sinks: { exporter: makeWorkflowExporter(withoutQueries(processor), resource) },
    },
    stop: () => provider.shutdown(),
  };
}

/** Leaves out what a client asks while it shows a release: two questions a second would be a trace each. */
class QuietClientInterceptor extends OpenTelemetryWorkflowClientInterceptor {
  override query(input: WorkflowQueryInput, next: Next<WorkflowClientInterceptor, 'query'>) {
    return next(input);
  }

  override describe(input: WorkflowDescribeInput, next: Next<WorkflowClientInterceptor, 'describe'>) {
    return next(input);
  }
}

/** The answers to those questions, which workflows would send as traces of their own. */
function withoutQueries(processor: SpanProcessor): SpanProcessor {
  return {
    onStart: (span, context) => processor.onStart(span, context),
    onEnd: (span) => (span.name.startsWith('HandleQuery') ? undefined : processor.onEnd(span)),
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown(),
  };
}

/** A span for each program that an activity runs: its name and how it ended. Arguments and output stay here. */
function traceCommands(tracer: Tracer): void {
  observeCommands((program) => {
    // What a worker runs for itself belongs to no release.
    if (!trace.getActiveSpan()) return () => undefined;
    const span = tracer.startSpan(program);
    return (exitCode) => {
      if (exitCode === null) span.setStatus({ code: SpanStatusCode.ERROR });
      else span.setAttribute('process.exit.code', exitCode);
      span.end();
    };
  });
}
