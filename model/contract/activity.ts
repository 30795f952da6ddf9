/** What the rows of the table of activities, and the results of several of them, have in common. */
import { z } from 'zod';
import type { HostWork } from './queue.ts';
import { LogLocation } from '../failure/failure.ts';
import { HostName } from '../base/host.ts';

/** How often the server had to start the activity, this time included. */
export const attempts = z.number().int().positive();

/** In the results of host stages. */
export const hostStage = { attempts, host: HostName, log: LogLocation.nullable() };

/**
 * The task queues with activities, one for each kind of work: of control workers, of sign workers, and of a build host.
 */
export type ActivityQueue = 'control' | 'sign' | 'claim' | HostWork;

/**
 * A row: the queue that the activity is offered on (or several), the file of `activities/` whose default export does
 * it, what it is given, and what it answers.
 */
export function on<const Queue extends ActivityQueue, Input extends z.ZodType, Result extends z.ZodType>(
  queue: Queue | readonly Queue[],
  file: string,
  input: Input,
  result: Result,
): { queues: readonly Queue[]; file: string; input: Input; result: Result } {
  return { queues: typeof queue === 'string' ? [queue] : queue, file, input, result };
}
