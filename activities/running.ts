/** The activities of this process that run now, and whose turn it is. */
import type { Task } from './tools/process/task.ts';

/** An activity of this process that runs now. */
export interface RunningActivity {
  name: string;
  taskQueue: string;
  /** Workflow id. */
  workflow: string;
  /** ISO 8601. */
  since: string;
}

const running = new Set<RunningActivity>();

/** The activities that run in this process, the longest running first. */
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

/** What the last attempt at an activity failed with. */
const lastFailures = new Map<string, string>();

/** Notes what an attempt failed with; `true` when the one before failed with the same words. Null when it did not. */
export function isRepeated(activity: string, message: string | null): boolean {
  const isSame = message !== null && lastFailures.get(activity) === message;
  if (message === null || isSame) lastFailures.delete(activity);
  else lastFailures.set(activity, message);
  return isSame;
}

/** The end of what runs, by queue and input. Never rejects. */
const underWay = new Map<string, Promise<unknown>>();

/**
 * Runs the body when the same work that an earlier attempt is at has ended: the server gives up an attempt before that
 * one has noticed, and two would end each other's processes.
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
