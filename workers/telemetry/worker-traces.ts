/** The traces of a worker process, if it is to send any. */
import type { WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { Role } from '../../model/contract/queue.ts';
import { recordAttempts } from '../attempts.ts';
import type { Traces } from './traces.ts';
import { tracesWanted } from './traces-wanted.ts';

/**
 * Begins to send traces, until `undo` is run; undefined, and nothing of OpenTelemetry loaded, where none are wanted.
 */
export async function tracesOf(
  roles: readonly Role[],
  hostName: string,
  logger: Logger,
  undo: (() => unknown)[],
): Promise<Traces | undefined> {
  if (!tracesWanted()) return undefined;
  const { startTraces } = await import('./traces.ts');
  const warn = (message: string) => logger.warn(`traces: ${message}`);
  const traces = startTraces(`flightline-${roles.join('-')}`, { 'host.name': hostName }, warn);
  undo.push(() => traces.stop());
  return traces;
}

/** What keeps the attempts of a worker's activities in a directory, if it has one, and traces around them. */
export function interceptedBy(
  directory: string | undefined,
  logger: Logger,
  traces: Traces | undefined,
): Pick<WorkerOptions, 'interceptors' | 'sinks'> {
  const own = directory === undefined ? [] : [recordAttempts(directory, (message) => logger.warn(message))];
  if (!traces) return { interceptors: { activity: own } };
  const { interceptors, sinks } = traces.worker;
  return { sinks, interceptors: { ...interceptors, activity: [...(interceptors.activity ?? []), ...own] } };
}
