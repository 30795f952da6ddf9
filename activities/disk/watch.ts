/** Watches a builder container to its end, from whatever worker process: its log, its progress, and whether it still gets on. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Timing } from '../../model/base/timing.ts';
import { plannedStages, type DiskRun } from './run.ts';
import { bytesBelow } from '../host/space.ts';
import type { StageContext } from '../frame.ts';
import { advance, NO_PROGRESS, withTotal } from '../tools/builder/progress.ts';
import type { CappedLog } from '../tools/process/capped-log.ts';
import { ContainerLogReader, type ContainerLine } from '../tools/podman/container-log.ts';
import { hasConmon, hasInit, inspectContainer, type ContainerState } from '../tools/podman/container.ts';
import { withoutPasswords } from '../tools/builder/builder.ts';
import { redact } from '../tools/process/redact.ts';

/** How a builder container ended. `lost`: its conmon died, and with it the exit code. */
export type BuilderEnd = { kind: 'exited'; exitCode: number } | { kind: 'lost' } | { kind: 'stalled' };

/** Milliseconds between two looks at a running container; they cost two small reads. */
const LOOK = 1_000;
/** Milliseconds after which its end is noticed; to ask for that alone costs one small read. */
const NOTICE = 100;
/** Milliseconds in which podman must know an exit code after conmon is gone, and between two questions. */
const SETTLE = 10_000;
const ASK = 200;

/**
 * Follows a container, running or ended, to its end. Its log is copied from its first line, redacted, so that a worker that comes
 * later has all of it. Throws the cancellation when the stage is cancelled; the container is left as it is.
 */
export async function watchBuilder(
  container: ContainerState,
  run: DiskRun,
  log: CappedLog,
  timing: Pick<Timing, 'stall'>,
  context: StageContext,
): Promise<BuilderEnd> {
  const reader = new ContainerLogReader(run.log);
  let progress = NO_PROGRESS;
  const take = (lines: readonly ContainerLine[]) => {
    for (const { text } of lines) {
      const line = withoutPasswords(redact(text));
      log.write(line);
      progress = advance(progress, line);
      if (line.trim() !== '') context.report({ line });
    }
    context.report({ step: progress.step, done: progress.done, total: progress.total });
  };
  let size = -1;
  const pause = Math.min(LOOK, timing.stall);
  // Counted in looks, not by the clock: a machine that slept for an hour has not stalled.
  let idle = 0;
  for (;;) {
    context.throwIfCancelled();
    // Asked before the log is read: what conmon wrote before its end is then read for certain.
    const alive = await hasConmon(container);
    const lines = await reader.read();
    if (progress.total === undefined) {
      const total = await plannedStages(run);
      if (total !== undefined) progress = withTotal(progress, total);
    }
    take(lines);
    if (!alive) break;
    const before = size;
    size = await bytesBelow(run.output);
    idle = lines.length > 0 || size !== before ? 0 : idle + pause;
    if (idle > timing.stall) return { kind: 'stalled' };
    await endOrPause(container, pause, context.signal);
  }
  take(reader.end());
  return settle(container);
}

/** Waits so many milliseconds; less when the container ends, or the stage is cancelled. */
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
