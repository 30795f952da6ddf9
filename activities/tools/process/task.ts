/**
 * The task that a tool works for: when it must end, and where progress goes. It is all that tools know of their caller,
 * which runs it by {@link runTask}. Without a task, as in the client, a tool runs to its end and reports nothing.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { CounterName, LabelsOf } from '../../../model/base/metric.ts';
import type { Progress } from '../../../model/stage/progress.ts';

/**
 * Why a running task must end. `requested`: somebody asked; stop everything and clean up. `detach`: this process shuts
 * down or was given up; leave containers running, since the next attempt attaches to them.
 */
type CancelReason = 'requested' | 'detach';

export interface Task {
  /** Aborted when the task must end; {@link Task.cancelReason} says why. */
  readonly signal: AbortSignal;
  /** Why; `undefined` while nothing was cancelled. */
  cancelReason(): CancelReason | undefined;
  /** Throws when the task is cancelled. Call it before classifying an exit code: a rolling restart breaks no build. */
  throwIfCancelled(): void;
  /** What the task's failure must carry, such as tags that have moved. */
  tellUnlessDone(facts: object): void;
  /** Replaces members of the progress shown live. */
  report(progress: Partial<Progress>): void;
  /** Which start of the same work this is, from 1. */
  readonly attempt: number;
  /** A line in the worker's log; redacted. For audits: what was signed, for whom. */
  log(level: 'INFO' | 'WARN' | 'ERROR', message: string, attributes?: Record<string, string | number>): void;
  /** Adds to a counter that Prometheus reads. */
  count<Name extends CounterName>(name: Name, value: number, labels: LabelsOf<Name>): void;
}

const storage = new AsyncLocalStorage<Task | undefined>();

/** The task that the caller runs in; `undefined` outside one. */
export function currentTask(): Task | undefined {
  return storage.getStore();
}

/**
 * A task that also ends when `end` is aborted: then it throws the reason, and it was not cancelled.
 */
export function endingTask(task: Task, end: AbortSignal): Task {
  const throwIfCancelled = () => {
    task.throwIfCancelled();
    end.throwIfAborted();
  };
  return Object.create(task, {
    signal: { value: AbortSignal.any([task.signal, end]) },
    throwIfCancelled: { value: throwIfCancelled },
  }) as Task;
}

/** Runs `body` in a task: all that it calls finds the task by {@link currentTask}. */
export function runTask<Result>(task: Task, body: () => Result): Result {
  return storage.run(task, body);
}

/** Runs `body` outside the task: what is put right after a cancellation must not end with it. */
export function outsideTask<Result>(body: () => Result): Result {
  return storage.run(undefined, body);
}
