/** The running activities of this process, and their order. */
import type { Task } from './tools/process/task.ts';

/** A running activity of this process. */
export interface RunningActivity {
  name: string;
  taskQueue: string;
  /** Workflow id. */
  workflow: string;
  /** ISO 8601. */
  since: string;
}

const running = new Set<RunningActivity>();

/** The running activities of this process, the longest running first. */
export function runningActivities(): RunningActivity[] {
  return [...running];
}

/** Counts an activity among those that run while `body` does. */
export async function whileRunning<Result>(activity: RunningActivity, body: () => Promise<Result>): Promise<Result> {
  running.add(activity);
  try {
    return await body();
  } finally {
    running.delete(activity);
  }
}

/** The message of each activity's last failed attempt. */
const lastFailures = new Map<string, string>();

/** Notes an attempt's failure, or null. `true` when the attempt before failed with the same words. */
export function isRepeated(activity: string, message: string | null): boolean {
  const isSame = message !== null && lastFailures.get(activity) === message;
  if (message === null || isSame) lastFailures.delete(activity);
  else lastFailures.set(activity, message);
  return isSame;
}

/** The end of running work, by queue and input. Never rejects. */
const underWay = new Map<string, Promise<unknown>>();

/**
 * Runs the body once an earlier attempt at the same work has ended: the server may give up an attempt before the
 * attempt notices, and two at once would end each other's processes.
 */
export async function inTurn<Result>(key: string, task: Task, body: () => Promise<Result>): Promise<Result> {
  for (let before = underWay.get(key); before; before = underWay.get(key)) {
    task.throwIfCancelled();
    const waited = new AbortController();
    await Promise.race([
      before,
      new Promise<void>((resolve) => {
        task.signal.addEventListener('abort', () => resolve(), { signal: waited.signal });
      }),
    ]);
    waited.abort();
  }
  const work = body();
  const ended = work.then(
    () => underWay.delete(key),
    () => underWay.delete(key),
  );
  underWay.set(key, ended);
  return work;
}
