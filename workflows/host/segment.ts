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
import { dispositionOf, failureFrom, HostLost, LeaseLost, StageFailed, wasBusy } from '../failure.ts';
import { activities } from '../activities.ts';
import { ClaimedHost, type Granted } from './claimed-host.ts';

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

/** How often a granted lease may be gone before it is used: a third time is no accident. */
const MAX_LEASES_LOST = 3;

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
    let current: Granted | null = at === null ? null : { host: at, transfers: 1 };
    for (;;) {
      const granted: Granted = current ?? (await this.claim());
      const { host } = granted;
      if (current === null) claimed?.(host);
      try {
        return await body(new ClaimedHost(granted, this.request.timing));
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
  private async claim(): Promise<Granted> {
    const { preferred, architecture, timing } = this.request;
    const { exclude } = this.request;
    const avoided = () => [...new Set([...exclude, ...this.unfit.keys(), ...this.lost])];
    if (preferred !== null && !avoided().includes(preferred)) {
      const granted = await this.ask(hostQueue(preferred, 'short'), avoided(), timing.claimPreferred, preferred);
      if ('host' in granted) return granted;
      if (dispositionOf(granted) === 'elsewhere') this.unfit.set(preferred, granted);
    }
    const queue = claimQueue(architecture);
    if (this.unfit.size > 0) return this.askOthers(queue, avoided());
    if (this.lost.size > 0) {
      const granted = await this.ask(queue, avoided(), timing.claimPreferred, null);
      if ('host' in granted) return granted;
    }
    // A lost host that is back takes up its own work again: it is not excluded any more.
    return this.askAll(queue, exclude);
  }

  /**
   * Asks the hosts that are neither unfit nor lost, each on its own queue: on the shared one an excluded host answers
   * as well. When one of them is busy it is waited for without limit; when there is none that answers, the branch
   * cannot go on.
   */
  private async askOthers(queue: string, excluded: readonly string[]): Promise<Granted> {
    const { identity, architecture, stage, timing } = this.request;
    const control = activities('control', timing, `which ${architecture} hosts there are`);
    const { hosts } = await control.hosts({ ...identity, architecture, timing }).catch((error: unknown) => {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      throw new StageFailed(failureFrom(error, stage));
    });
    let busy = false;
    for (const host of hosts.filter((name) => !excluded.includes(name))) {
      const granted = await this.ask(hostQueue(host, 'short'), excluded, timing.claimPreferred, host);
      if ('host' in granted) return granted;
      if (dispositionOf(granted) === 'elsewhere') this.unfit.set(host, granted);
      busy ||= this.othersAreBusy;
    }
    if (busy) return this.askAll(queue, [...new Set([...excluded, ...this.unfit.keys()])]);
    throw new StageFailed([...this.unfit.values()].at(-1)!);
  }

  /** Asks all hosts. One that is too small says so at once; another may be larger, so it is asked again for a while. */
  private async askAll(queue: string, exclude: readonly string[]): Promise<Granted> {
    const { timing } = this.request;
    for (let waited = 0; ; waited += timing.claimRetry) {
      const granted = await this.ask(queue, exclude, null, null);
      if ('host' in granted) return granted;
      if (waited >= timing.claimPreferred) throw new StageFailed(granted);
      await sleep(timing.claimRetry, { summary: 'before asking for a larger host' });
    }
  }

  /** One claim: what was granted, or why nothing was. `bound` in milliseconds. */
  private async ask(
    queue: string,
    exclude: readonly string[],
    bound: number | null,
    host: string | null,
  ): Promise<Granted | Failure> {
    const { identity, branch, slot, space, requestedAt, timing, stage, architecture } = this.request;
    const summary = `claim ${host ?? `any ${architecture} host`} for ${branch}`;
    const worker = activities('claim', timing, summary, { queue, bound });
    try {
      const input = { ...identity, branch, slot, architecture, requestedAt, space, exclude: [...exclude], timing };
      return await worker.claim(input);
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
