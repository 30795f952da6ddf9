/**
 * A worker's log: a JSON object per line and event on standard output, the SDK's events included. Lines from a workflow
 * or an activity name the release and the stage. No secrets.
 */
import type { Logger as SdkLogger, LogLevel as SdkLevel, LogMetadata } from '@temporalio/common';
import { pino, stdSerializers, stdTimeFunctions, type Logger, type SerializedError } from 'pino';
import { redact } from '../../activities/tools/process/redact.ts';
import { sourceStack } from '../../activities/tools/source-stack.ts';
import { stageOf } from '../../model/contract/activities.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { releaseOfWorkflow } from '../../model/oci/reference.ts';
import { LOG_LEVELS, LogLevel, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';

/** Names of events that programs wait for, in the member `event`. */
export const WORKER_READY = 'worker-ready';
export const WORKER_STOPPED = 'worker-stopped';

/** Where lines go; tests pass their own. */
export interface LogSink {
  write(line: string): unknown;
}

/**
 * The log level: the variable FLIGHTLINE_LOG_LEVEL, else the configuration.
 *
 * @throws FlightlineError `invalid-input` when the variable is not a level.
 */
export function chooseLogLevel(
  configuration: Pick<WorkerConfiguration, 'logLevel'>,
  environment: NodeJS.ProcessEnv = process.env,
): LogLevel {
  const given = environment['FLIGHTLINE_LOG_LEVEL'];
  if (!given) return configuration.logLevel ?? 'info';
  const parsed = LogLevel.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new FlightlineError('invalid-input', `FLIGHTLINE_LOG_LEVEL is "${given}", which is not a level`, {
    remedy: `set it to one of ${LOG_LEVELS.join(', ')}, or unset it`,
  });
}

/** A logger that writes to standard output at once, so that no line is lost when the process is killed. */
export function createLogger(
  base: Record<string, unknown>,
  sink: LogSink = process.stdout,
  level: LogLevel = 'info',
): Logger {
  return pino(
    {
      base,
      level,
      messageKey: 'message',
      errorKey: 'error',
      serializers: { error: stdSerializers.wrapErrorSerializer(withSources) },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // The SDK's lines have the task token, with which the attempt can be ended.
      redact: { paths: ['taskToken'], remove: true },
    },
    { write: (line) => sink.write(redact(line)) },
  );
}

function withSources(error: SerializedError): SerializedError {
  // What is logged as an error may be a mere text: the SDK's core does so.
  if (typeof (error as { stack?: unknown } | null)?.stack === 'string') error.stack = sourceStack(error.stack);
  return error;
}

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Lines of the SDK that are logged as `debug`: about queues that serve one purpose, as all of flightline's do, and
 * about failed attempts, which activities/frame.ts logs in more detail.
 */
const EXPECTED = /^(?:No (?:workflows|activities|Nexus services) registered|Activity failed$)/;

/** Passes the lines of the SDK, and of activities and workflows, to our logger. */
export function sdkLogger(logger: Logger): SdkLogger {
  const log = (level: SdkLevel, message: string, metadata: LogMetadata = {}) =>
    logger[EXPECTED.test(message) ? 'debug' : LEVELS[level]]({ ...placeOf(metadata), ...metadata }, message);
  return {
    log,
    trace: (message, metadata) => log('TRACE', message, metadata),
    debug: (message, metadata) => log('DEBUG', message, metadata),
    info: (message, metadata) => log('INFO', message, metadata),
    warn: (message, metadata) => log('WARN', message, metadata),
    error: (message, metadata) => log('ERROR', message, metadata),
  };
}

/** The release and the stage of an SDK line, from its workflow id and activity type. */
function placeOf({ workflowId, activityType }: LogMetadata): { release?: string; stage?: string } {
  const release = typeof workflowId === 'string' ? releaseOfWorkflow(workflowId) : undefined;
  const stage = typeof activityType === 'string' ? stageOf(activityType) : undefined;
  return { release, stage };
}

/** `true` when a worker's log says that it polls. */
export function hasReadyEvent(log: string): boolean {
  return log.split('\n').some((line) => line.startsWith('{') && line.includes(`"event":"${WORKER_READY}"`));
}
