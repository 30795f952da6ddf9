/** What rows of the table of activities share, and what several results share. */
import { z } from 'zod';
import type { HostWork } from './queue.ts';
import { LogLocation } from '../failure/failure.ts';
import { HostName } from '../base/host.ts';

/** How often the server started the activity, this time included. */
export const attempts = z.number().int().positive();

/** In the results of host stages. */
export const hostStage = { attempts, host: HostName, log: LogLocation.nullable() };

/** The task queues with activities, one for each kind of work of control workers, sign workers and build hosts. */
export type ActivityQueue = 'control' | 'sign' | 'claim' | HostWork;

/**
 * A row: the queues that offer the activity, the file of `activities/` whose default export does it, its input and its
 * result.
 */
export function on<const Queue extends ActivityQueue, Input extends z.ZodType, Result extends z.ZodType>(
  queue: Queue | readonly Queue[],
  file: string,
  input: Input,
  result: Result,
): { queues: readonly Queue[]; file: string; input: Input; result: Result } {
  return { queues: typeof queue === 'string' ? [queue] : queue, file, input, result };
}
