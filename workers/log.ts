/**
 * A worker's log: a JSON object on a line of standard output for each event, the SDK's own events included. What happens in a
 * workflow or an activity says of which release, and in which stage. No secret.
 */
import type { Logger as SdkLogger, LogLevel as SdkLevel, LogMetadata } from '@temporalio/common';
import { pino, stdTimeFunctions, type Logger } from 'pino';
import { redact } from '../activities/tools/process/redact.ts';
import { FlightlineError } from '../model/release/failure.ts';
import { releaseOfWorkflow } from '../model/oci/reference.ts';
import { STAGES } from '../model/release/stage.ts';
import { LOG_LEVELS, LogLevel, type WorkerConfiguration } from '../model/spec/worker-configuration.ts';

/** Names of events that programs wait for, in the member `event`. */
export const WORKER_READY = 'worker-ready';
export const WORKER_STOPPED = 'worker-stopped';

/** Where lines go; tests give their own. */
export interface LogSink {
  write(line: string): unknown;
}

/**
 * What is logged at least: what the variable FLIGHTLINE_LOG_LEVEL says, else the configuration.
 *
 * @throws FlightlineError `invalid-input` when the variable holds no level.
 */
export function chooseLogLevel(
  configuration: Pick<WorkerConfiguration, 'logLevel'>,
  environment: NodeJS.ProcessEnv = process.env,
): LogLevel {
  const given = environment['FLIGHTLINE_LOG_LEVEL'];
  if (!given) return configuration.logLevel ?? 'info';
  const parsed = LogLevel.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new FlightlineError('invalid-input', `FLIGHTLINE_LOG_LEVEL is "${given}", which is no level`, {
    remedy: `set it to one of ${LOG_LEVELS.join(', ')}, or unset it`,
  });
}

/** A logger that writes to standard output at once: a line must not be lost when the process is killed right after. */
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
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // The SDK's lines hold it: who has it can end the attempt.
      redact: { paths: ['taskToken'], remove: true },
    },
    { write: (line) => sink.write(redact(line)) },
  );
}

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Nothing to read each time: what is said of every queue that serves one purpose, which all of ours do; and of each failed attempt,
 * since the frame of activities says more of those that matter (activities/frame.ts).
 */
const EXPECTED = /^(?:No (?:workflows|activities|Nexus services) registered|Activity failed$)/;

/** What the SDK logs, and what activities and workflows log by it, through our logger. */
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

/** The release and the stage that a line of the SDK is about, told by its workflow id and activity type. */
function placeOf({ workflowId, activityType }: LogMetadata): { release?: string; stage?: string } {
  const release = typeof workflowId === 'string' ? releaseOfWorkflow(workflowId) : undefined;
  // Activities bear their stage's name in camel case.
  const name = typeof activityType === 'string' ? activityType.replace(/[A-Z]/g, (at) => `-${at.toLowerCase()}`) : '';
  const stage = STAGES.find((one) => one === name);
  return { ...(release === undefined ? {} : { release }), ...(stage === undefined ? {} : { stage }) };
}
