/** Watches a builder container to its end, from any worker process: its log, its progress, and whether it stalls. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Timing } from '../../model/base/timing.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { plannedStages, type DiskRun } from './run.ts';
import { bytesBelow } from '../host/space.ts';
import type { DiskType } from '../../model/spec/disk.ts';
import type { Task } from '../tools/process/task.ts';
import { builderMessage, classifyBuilder } from '../tools/builder/classify.ts';
import type { BuilderDriver } from '../tools/builder/driver.ts';
import { NO_PROGRESS, withTotal } from '../tools/builder/progress.ts';
import type { CappedLog } from '../tools/process/capped-log.ts';
import { ContainerLogReader } from '../tools/podman/container/container-log.ts';
import type { ContainerLine } from '../tools/podman/container/line-joiner.ts';
import { hasConmon, hasInit, inspectContainer } from '../tools/podman/container/container.ts';
import type { ContainerState } from '../tools/podman/container/container-state.ts';
import { withoutPasswords } from '../tools/builder/builder.ts';
import { redact } from '../tools/process/redact.ts';
import { cgroupUsage } from '../tools/process/usage.ts';

/** How a builder container ended. `lost`: its conmon died, and the exit code with it. */
export type BuilderEnd = { kind: 'exited'; exitCode: number } | { kind: 'lost' } | { kind: 'stalled' };

/** Milliseconds between two checks of a running container. Each takes a small read for each of its processes. */
const LOOK = 1_000;
/** Milliseconds until its end is noticed. This check takes one small read. */
const NOTICE = 50;
/** Milliseconds until podman must know the exit code after conmon is gone, and between two questions. */
const SETTLE = 10_000;
const ASK = 200;
/** How many of the builder's last lines a failure shows. */
const MESSAGE_LINES = 25;
/** Share of one processor below which a container only waits. An idle virtual machine takes one or two hundredths. */
const IDLE_SHARE = 0.05;

/**
 * Follows a container, running or ended, to its end. Copies its log from the first line, redacted, so that a later
 * worker has all of it. In a cancelled stage it throws the cancellation, and leaves the container alone.
 */
export async function watchBuilder(
  container: ContainerState,
  run: DiskRun,
  { types, driver }: { types: readonly DiskType[]; driver: BuilderDriver },
  log: CappedLog,
  timing: Pick<Timing, 'stall'>,
  context: Task,
): Promise<BuilderEnd> {
  const reader = new ContainerLogReader(run.log);
  let progress = NO_PROGRESS;
  const take = (lines: readonly ContainerLine[]) => {
    for (const { text } of lines) {
      const line = withoutPasswords(redact(text));
      log.write(line);
      progress = driver.progress.advance(progress, line);
      if (line.trim() !== '') context.report({ line });
    }
    context.report({ step: progress.step, done: progress.done, total: progress.total });
  };
  const pause = Math.min(LOOK, timing.stall);
  const works = workOf(container, run, pause);
  // Count checks, not time: a machine that slept for an hour has not stalled.
  let idle = 0;
  for (;;) {
    context.throwIfCancelled();
    // Ask before reading the log, so that everything conmon wrote before its end is read.
    const alive = await hasConmon(container);
    const lines = await reader.read();
    if (progress.total === undefined) {
      const total = await plannedStages(run, types, driver);
      if (total !== undefined) progress = withTotal(progress, total);
    }
    take(lines);
    if (!alive) break;
    idle = (await works()) || lines.length > 0 ? 0 : idle + pause;
    if (idle > timing.stall) return { kind: 'stalled' };
    await endOrPause(container, pause, context.signal);
  }
  take(reader.end());
  return settle(container);
}

/**
 * Tells at each call whether the container has worked since the last one: its output has grown, or its processes have
 * computed, read or written. A builder may print nothing for a quarter of an hour, and write its output only at the
 * end.
 */
function workOf({ pid }: ContainerState, run: DiskRun, pause: number): () => Promise<boolean> {
  let last = { size: -1, cpu: 0, io: 0 };
  return async () => {
    const before = last;
    last = { size: await bytesBelow(run.output), ...(await cgroupUsage(pid)) };
    return last.size !== before.size || last.io !== before.io || last.cpu - before.cpu > IDLE_SHARE * pause;
  };
}

/** Waits this many milliseconds, or until the container ends or the stage is cancelled. */
async function endOrPause(container: ContainerState, milliseconds: number, signal: AbortSignal): Promise<void> {
  for (let waited = 0; waited < milliseconds && !signal.aborted; waited += NOTICE) {
    await sleep(Math.min(NOTICE, milliseconds), undefined, { signal }).catch(() => undefined);
    if (!(await hasConmon(container))) return;
  }
}

async function settle(container: ContainerState): Promise<BuilderEnd> {
  for (let waited = 0; waited < SETTLE; waited += ASK) {
    const now = await inspectContainer(container.name);
    if (!now || now.id !== container.id) return { kind: 'lost' };
    if (now.status === 'exited' || now.status === 'stopped') {
      return now.ended ? { kind: 'exited', exitCode: now.exitCode } : { kind: 'lost' };
    }
    if (await hasInit(now)) return { kind: 'lost' };
    await sleep(ASK);
  }
  return { kind: 'lost' };
}

/** @throws FlightlineError unless the builder succeeded. */
export function requireSuccess(end: BuilderEnd, log: CappedLog, { errors }: BuilderDriver): void {
  const said = builderMessage(log.tail(200), MESSAGE_LINES);
  if (end.kind === 'lost') {
    throw new FlightlineError(
      'container-lost',
      `the builder container was lost (its conmon died); its last output:\n${said}`,
    );
  }
  if (end.kind === 'stalled') {
    throw new FlightlineError(
      'stalled',
      `the builder has stalled: no output, no processor time, nothing read or written; its last output:\n${said}`,
    );
  }
  if (end.exitCode === 0) return;
  const { kind, remedy } = classifyBuilder(log.tail(200).join('\n'), end.exitCode, errors);
  const how =
    kind === 'container-lost'
      ? `was ended from outside (exit code ${end.exitCode}); its last output`
      : kind === 'out-of-memory'
        ? `was killed, as when memory runs out (exit code ${end.exitCode}); its last output`
        : `ended with exit code ${end.exitCode}`;
  throw new FlightlineError(kind, `the builder ${how}:\n${said}`, { remedy });
}
