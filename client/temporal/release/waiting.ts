/** For whom an activity waits that no worker has taken, in words. Pure. */
import { ARCHITECTURES } from '../../../model/base/host.ts';
import { clockInWords } from '../../../model/base/words.ts';
import {
  asksForWork,
  claimQueue,
  CONTROL_QUEUE,
  HOST_WORK,
  hostQueue,
  SIGN_QUEUE,
} from '../../../model/contract/queue.ts';

/** An activity that the server offers on a task queue; `paused` by a person, in Temporal. */
export interface Offered {
  queue: string;
  /** Milliseconds since 1970. */
  since: number;
  paused: boolean;
}

/** For whom an activity waits. `asking`: the workers that the server remembers to have asked for work of its queue. */
export function waitingText(
  { queue, since, paused }: Offered,
  asking: readonly { lastSeen: string | null }[],
  now: number,
): string {
  if (paused) return 'paused in Temporal: unpause the activity there';
  const worker = workerOf(queue);
  const seen = asking.flatMap(({ lastSeen }) => (lastSeen === null ? [] : [Date.parse(lastSeen)]));
  if (asking.some(({ lastSeen }) => asksForWork(lastSeen, now))) {
    return `waiting for a ${worker} that is free, since ${clockInWords(new Date(since))}`;
  }
  // The server forgets a worker after some minutes.
  if (seen.length === 0) return `waiting: no ${worker} asks for work`;
  return `waiting: no ${worker} has asked for work since ${clockInWords(new Date(Math.max(...seen)))}`;
}

/** The workers of a task queue, in words. */
function workerOf(queue: string): string {
  if (queue === CONTROL_QUEUE) return 'control worker';
  if (queue === SIGN_QUEUE) return 'sign worker';
  const architecture = ARCHITECTURES.find((one) => claimQueue(one) === queue);
  if (architecture) return `build host for ${architecture}`;
  const work = HOST_WORK.find((one) => queue.endsWith(`-${one}`)) ?? 'short';
  const before = hostQueue('', work).slice(0, -work.length - 1);
  return `build worker of ${queue.slice(before.length, -work.length - 1)}`;
}
