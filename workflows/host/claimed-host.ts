/** A host on which a branch has a lease, and how an activity runs there although workers come and go. */
import { ActivityFailure } from '@temporalio/common';
import { isCancellation } from '@temporalio/workflow';
import type { ClaimResult } from '../../model/contract/host.ts';
import type { Timing } from '../../model/base/timing.ts';
import { hadBegun, HostLost, isLeaseLost, isSilence, LeaseLost, timeoutTypeOf } from '../failure.ts';
import { activities } from '../activities.ts';

/** What a claim was granted. */
export type Granted = Pick<ClaimResult, 'host' | 'transfers'>;

/** How often a silent activity is started again on a host that answers, before the branch is held. */
const MAX_SILENCES = 20;
/** Probes asked before a host is given up: the first may meet a worker that is just starting. */
const PROBES = 2;

/** A host that was granted to the branch. */
export class ClaimedHost {
  readonly name: string;
  /** How many transfers it does at a time. */
  readonly transfers: number;
  private readonly timing: Timing;

  constructor({ host, transfers }: Granted, timing: Timing) {
    this.name = host;
    this.transfers = transfers;
    this.timing = timing;
  }

  /**
   * Runs an activity here. When the host falls silent but answers a probe, the same activity is scheduled again, and
   * adopts what is there; `attempts` counts what fell silent too.
   *
   * @param schedule schedules the activity; gets the schedule-to-start time-out in milliseconds.
   * @throws HostLost when the host answers no probe; LeaseLost when it has no lease of the branch any more.
   */
  async run<Result extends { attempts: number }>(
    schedule: (scheduleToStart: number) => Promise<Result>,
  ): Promise<Result> {
    let patience = this.timing.hostScheduleToStart;
    let before = 0;
    for (let silences = 1; ; silences++) {
      try {
        const result = await schedule(patience);
        return { ...result, attempts: before + result.attempts };
      } catch (error) {
        if (isLeaseLost(error)) throw new LeaseLost(this.name);
        if (!isSilence(error)) throw error;
        if (hadBegun(error)) before += 1;
        if (!(await this.isAlive())) throw new HostLost(this.name);
        if (silences >= MAX_SILENCES) throw error;
        // Alive but busy: asking ever less often keeps the history short.
        if (timeoutTypeOf(error) === 'SCHEDULE_TO_START') patience *= 2;
      }
    }
  }

  private async isAlive(): Promise<boolean> {
    const worker = activities('probe', this.timing, `probe ${this.name}`, this.name);
    for (let asked = 0; asked < PROBES; asked++) {
      try {
        await worker.probe();
        return true;
      } catch (error) {
        if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      }
    }
    return false;
  }
}
