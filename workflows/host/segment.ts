/**
 * The part of a branch that lives on one host: claims a host, does the work there, and on another when that host is
 * lost or unfit.
 */
import { CancellationScope, CancelledFailure, isCancellation, sleep } from '@temporalio/workflow';
import { ActivityFailure } from '@temporalio/common';
import type { ReleaseIdentity } from '../../model/release/identity.ts';
import { failureOf, type Failure } from '../../model/failure/failure.ts';
import { claimQueue, hostQueue } from '../../model/contract/queue.ts';
import type { Architecture } from '../../model/base/host.ts';
import type { Stage } from '../../model/stage/stage.ts';
import type { Timing } from '../../model/base/timing.ts';
import {
  dispositionOf,
  failureFrom,
  hadBegun,
  HostLost,
  isLeaseLost,
  isSilence,
  LeaseLost,
  StageFailed,
  timeoutTypeOf,
  wasBusy,
} from '../failure.ts';
import { activities } from '../activities.ts';

/** What a branch asks a host for. */
interface HostRequest {
  identity: ReleaseIdentity;
  branch: string;
  slot: 'build' | 'disk';
  architecture: Architecture;
  /** Bytes. */
  space: number;
  /** ISO 8601. */
  requestedAt: string;
  timing: Timing;
  /** The stage that a claim without success is reported for. */
  stage: Stage;
  /** Asked first, alone, for `timing.claimPreferred`; null to ask all at once. */
  preferred: string | null;
  /** Hosts not to use. */
  exclude: readonly string[];
}

/** What a branch does with hosts. */
interface SegmentWork<Result> {
  /** The work itself. It is called again for every new host, and keeps what it has done elsewhere to itself. */
  body: (host: ClaimedHost) => Promise<Result>;
  /** Called once a host is granted. */
  claimed?: (host: string) => void;
  /** Called when a host is given up: what lived there is gone. */
  left?: (host: string) => void;
}

/** How often a silent activity is started again on a host that answers, before the branch is held. */
const MAX_SILENCES = 20;
/** How often a granted lease may be gone before it is used: a third time is no accident. */
const MAX_LEASES_LOST = 3;
/** Probes asked before a host is given up: the first may meet a worker that is just starting. */
const PROBES = 2;

/** A host that was granted to the branch. */
export class ClaimedHost {
  readonly name: string;
  private readonly timing: Timing;

  constructor(name: string, timing: Timing) {
    this.name = name;
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

/** Claims hosts for one branch, one after the other as they are lost or turn out unfit. */
export class HostSegment {
  private readonly request: HostRequest;
  /** Hosts that answered no probe: avoided while another can be had. */
  private readonly lost = new Set<string>();
  /** Hosts that cannot do this work, and why. */
  private readonly unfit = new Map<string, Failure>();
  private leasesLost = 0;
  /** The last claim met a host that is not excluded, and has no slot now. */
  private othersAreBusy = false;

  constructor(request: HostRequest) {
    this.request = request;
  }

  /**
   * Does the work on a host, beginning with `at` when the branch already is on one.
   *
   * @throws StageFailed when no host is left that could do it, and whatever the work throws.
   */
  async work<Result>({ body, claimed, left }: SegmentWork<Result>, at: string | null = null): Promise<Result> {
    let current = at;
    for (;;) {
      const host = current ?? (await this.claim());
      if (current === null) claimed?.(host);
      try {
        return await body(new ClaimedHost(host, this.request.timing));
      } catch (error) {
        if (error instanceof LeaseLost) this.noteLostLease(host);
        else if (error instanceof HostLost) this.lost.add(host);
        else if (isUnfit(error)) this.unfit.set(host, error.failure);
        else throw error;
        if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
        left?.(host);
        current = null;
      }
    }
  }

  private noteLostLease(host: string): void {
    this.leasesLost += 1;
    if (this.leasesLost < MAX_LEASES_LOST) return;
    this.leasesLost = 0;
    const message =
      `${host} granted ${this.request.branch} a lease ${MAX_LEASES_LOST} times, and did not know it ` + 'afterwards';
    const remedy = 'see that no two build workers have the same host name';
    throw new StageFailed(failureOf('host-setup', message, { stage: this.request.stage, remedy }));
  }

  /** A host that grants a slot. Waits without limit, unless every host it could wait for is known to be unfit. */
  private async claim(): Promise<string> {
    const { preferred, architecture, timing } = this.request;
    const { exclude } = this.request;
    const avoided = () => [...new Set([...exclude, ...this.unfit.keys(), ...this.lost])];
    if (preferred !== null && !avoided().includes(preferred)) {
      const granted = await this.ask(hostQueue(preferred, 'short'), avoided(), timing.claimPreferred, preferred);
      if (typeof granted === 'string') return granted;
      if (dispositionOf(granted) === 'elsewhere') this.unfit.set(preferred, granted);
    }
    const queue = claimQueue(architecture);
    if (this.unfit.size > 0) return this.askOthers(queue, avoided());
    if (this.lost.size > 0) {
      const granted = await this.ask(queue, avoided(), timing.claimPreferred, null);
      if (typeof granted === 'string') return granted;
    }
    // A lost host that is back takes up its own work again: it is not excluded any more.
    return this.askAll(queue, exclude);
  }

  /**
   * Asks the hosts that are neither unfit nor lost, each on its own queue: on the shared one an excluded host answers
   * as well. When one of them is busy it is waited for without limit; when there is none that answers, the branch
   * cannot go on.
   */
  private async askOthers(queue: string, excluded: readonly string[]): Promise<string> {
    const { identity, architecture, stage, timing } = this.request;
    const control = activities('control', timing, `which ${architecture} hosts there are`);
    const { hosts } = await control.hosts({ ...identity, architecture, timing }).catch((error: unknown) => {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      throw new StageFailed(failureFrom(error, stage));
    });
    let busy = false;
    for (const host of hosts.filter((name) => !excluded.includes(name))) {
      const granted = await this.ask(hostQueue(host, 'short'), excluded, timing.claimPreferred, host);
      if (typeof granted === 'string') return granted;
      if (dispositionOf(granted) === 'elsewhere') this.unfit.set(host, granted);
      busy ||= this.othersAreBusy;
    }
    if (busy) return this.askAll(queue, [...new Set([...excluded, ...this.unfit.keys()])]);
    throw new StageFailed([...this.unfit.values()].at(-1)!);
  }

  /** Asks all hosts. One that is too small says so at once; another may be larger, so it is asked again for a while. */
  private async askAll(queue: string, exclude: readonly string[]): Promise<string> {
    const { timing } = this.request;
    for (let waited = 0; ; waited += timing.claimRetry) {
      const granted = await this.ask(queue, exclude, null, null);
      if (typeof granted === 'string') return granted;
      if (waited >= timing.claimPreferred) throw new StageFailed(granted);
      await sleep(timing.claimRetry, { summary: 'before asking for a larger host' });
    }
  }

  /** One claim; the host, or why there is none. `bound` in milliseconds. */
  private async ask(
    queue: string,
    exclude: readonly string[],
    bound: number | null,
    host: string | null,
  ): Promise<string | Failure> {
    const { identity, branch, slot, space, requestedAt, timing, stage, architecture } = this.request;
    const summary = `claim ${host ?? `any ${architecture} host`} for ${branch}`;
    const worker = activities('claim', timing, summary, { queue, bound });
    try {
      const input = { ...identity, branch, slot, architecture, requestedAt, space, exclude: [...exclude], timing };
      return (await worker.claim(input)).host;
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      const failure = failureFrom(error, stage);
      this.othersAreBusy = wasBusy(error);
      if (dispositionOf(failure) === 'elsewhere' || bound !== null) return failure;
      throw new StageFailed(failure);
    }
  }
}

function isUnfit(error: unknown): error is StageFailed {
  return error instanceof StageFailed && dispositionOf(error.failure) === 'elsewhere';
}

/** `true` when an error concerns the host rather than the work: the whole segment goes elsewhere. */
export function concernsHost(error: unknown): boolean {
  return error instanceof HostLost || isUnfit(error);
}
