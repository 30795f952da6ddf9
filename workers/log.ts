/** A worker's log: a JSON object on a line of standard output for each event, the SDK's own events included. No secret. */
import type { Logger as SdkLogger, LogLevel, LogMetadata } from '@temporalio/common';
import { pino, stdTimeFunctions, type Logger } from 'pino';
import { redact } from '../activities/tools/redact.ts';

/** Names of events that programs wait for, in the member `event`. */
export const WORKER_READY = 'worker-ready';
export const WORKER_STOPPED = 'worker-stopped';

/** Where lines go; tests give their own. */
export interface LogSink {
  write(line: string): unknown;
}

/** A logger that writes to standard output at once: a line must not be lost when the process is killed right after. */
export function createLogger(base: Record<string, unknown>, sink: LogSink = process.stdout): Logger {
  return pino(
    {
      base,
      messageKey: 'message',
      errorKey: 'error',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => sink.write(redact(line)) },
  );
}

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Said of every queue that serves one purpose, which all of ours do: nothing to read on each start. */
const EXPECTED = /^No (?:workflows|activities|Nexus services) registered/;

/** What the SDK logs, through our logger. */
export function sdkLogger(logger: Logger): SdkLogger {
  const log = (level: LogLevel, message: string, metadata?: LogMetadata) =>
    logger[EXPECTED.test(message) ? 'debug' : LEVELS[level]](metadata ? { ...metadata } : {}, message);
  return {
    log,
    trace: (message, metadata) => log('TRACE', message, metadata),
    debug: (message, metadata) => log('DEBUG', message, metadata),
    info: (message, metadata) => log('INFO', message, metadata),
    warn: (message, metadata) => log('WARN', message, metadata),
    error: (message, metadata) => log('ERROR', message, metadata),
  };
}
