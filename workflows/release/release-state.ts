/** All that a `release` workflow knows of itself, in one place: plan, stages, hosts, holds, and how they are shown. */
import { defineSearchAttributeKey, type SearchAttributeUpdatePair } from '@temporalio/common';
import {
  CancellationScope,
  CancelledFailure,
  condition,
  log,
  setCurrentDetails,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { BuildResult, PushResult } from '../../model/contract/build.ts';
import type { ReleaseIdentity } from '../../model/release/identity.ts';
import type { BuilderRunResult } from '../../model/contract/messages.ts';
import type { Failure } from '../../model/release/failure.ts';
import type { DiskRecord, ReleaseRecord } from '../../model/release/record.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { SEARCH_ATTRIBUTES, type ReleaseStatus, type Stage, type StageStatus } from '../../model/release/stage.ts';
import { ApprovalGate } from '../approval.ts';
import { releaseDetails } from './details.ts';
import { dispositionOf, ReleaseFailed, StageFailed } from '../failure.ts';
import type { LogsOutcome } from './keep-logs.ts';
import { countEnd, countHold } from './metrics.ts';
import { Notifications } from './notification.ts';
import { imageTags, type Plan } from './plan.ts';
import type { StageBoard } from './run-stage.ts';
import { isOfBranch, releaseStages, requestedRuns, StageTable } from '../../model/release/stage-table.ts';

const STAGE = defineSearchAttributeKey('FlightlineStage', SEARCH_ATTRIBUTES.FlightlineStage);
const STATUS = defineSearchAttributeKey('FlightlineStatus', SEARCH_ATTRIBUTES.FlightlineStatus);
const HOST = defineSearchAttributeKey('FlightlineHost', SEARCH_ATTRIBUTES.FlightlineHost);

/** The stages of the image that a new signature makes due again. */
const SIGNED_STAGES: readonly Stage[] = ['sign', 'verify', 'device-verify'];

/** What there is of the image. */
export interface ImageState {
  build: BuildResult | null;
  /** In the registry, by digest. The host that has it too; null for an image of an earlier release. */
  push: (Pick<PushResult, 'digest'> & { host: string | null }) | null;
  signed: boolean;
  verified: boolean;
  /** A device made of it was seen to accept it; stays false without `verification: bake`. */
  deviceVerified: boolean;
}

const NO_IMAGE: ImageState = { build: null, push: null, signed: false, verified: false, deviceVerified: false };

/** The state of a release; changed by its branches, shown by {@link ReleaseState.changed}. */
export class ReleaseState implements StageBoard {
  readonly identity: ReleaseIdentity;
  readonly table: StageTable;
  readonly notifications = new Notifications();
  /** When the release began, ISO 8601. */
  readonly startedAt = new Date().toISOString();
  request: ReleaseRequest;
  /** Null until resolved. */
  plan: Plan | null = null;
  image: ImageState = { ...NO_IMAGE };
  /** Results of finished builder runs, by subject. */
  readonly runs = new Map<string, BuilderRunResult>();
  /** Workflow ids of builder runs, by subject. */
  readonly children = new Map<string, string>();
  /** Every host that holds something of this release. */
  readonly hosts = new Set<string>();
  /** `repository:tag` of what was moved. */
  moved: string[] = [];
  /** Why shared tags were left as they are, by tag. */
  readonly refusedTags = new Map<string, string>();
  /** What a tag activity was moving when it was cancelled, if it could not say how far it came. */
  maybeMoved: string[] = [];
  /** A person's word before tags move. */
  readonly gate: ApprovalGate;
  /** What became of the hosts' logs. */
  private logs: LogsOutcome = { kept: [], warnings: [] };
  /** Held branches, the longest held first. */
  private readonly holds = new Map<string, Failure>();
  /** Branches that are not finished. */
  private readonly active = new Set<string>();
  /** Counts the times that held branches were told to go on. */
  private resumes = 0;
  private outcome: { status: ReleaseStatus; failure: Failure | null; record: ReleaseRecord | null } | null = null;
  private shown = new Map<string, string>();

  constructor(identity: ReleaseIdentity, request: ReleaseRequest) {
    this.identity = identity;
    this.request = request;
    this.table = new StageTable(releaseStages(request));
    this.gate = new ApprovalGate(`${request.repository}:${request.tag}`);
  }

  get status(): ReleaseStatus {
    if (this.outcome) return this.outcome.status;
    const held = this.holds.size > 0 && [...this.active].every((branch) => this.holds.has(branch));
    return held ? 'held' : 'running';
  }

  get heldBranches(): string[] {
    return [...this.holds.keys()];
  }

  /** The record as of now. */
  record(): ReleaseRecord {
    const { identity, request, image, plan } = this;
    if (this.outcome?.record) return this.outcome.record;
    const warnings = [...(image.build?.warnings ?? []), ...this.refusedTags.values(), ...this.logs.warnings];
    return {
      schemaVersion: 1,
      release: identity.release,
      runId: identity.runId,
      status: this.status,
      image: {
        reference: `${request.repository}:${request.tag}`,
        digest: image.push?.digest ?? null,
        verified: image.verified,
        ...(image.build?.certificateEnds === undefined ? {} : { certificateEnds: image.build.certificateEnds }),
        ...this.reusedFacts(),
      },
      disks: this.disks(),
      inputs: plan && {
        image: plan.resolved.imageInputs,
        disks: Object.fromEntries(
          [...this.runs.values()].flatMap((run) => run.disks.map((disk) => [disk.type, run.inputs])),
        ),
        // Once it is built, what podman used says more than what was foreseen.
        base: image.build?.bases ?? plan.resolved.bases,
        builder: plan.resolved.builder,
        context: plan.resolved.context.digest,
        ...(plan.resolved.parts && { parts: plan.resolved.parts }),
      },
      stages: this.table.rows,
      failure: this.outcome ? this.outcome.failure : ([...this.holds.values()][0] ?? null),
      ...(this.gate.approval && { approval: this.gate.approval }),
      ...(this.logs.kept.length === 0 ? {} : { logs: this.logs.kept }),
      ...(warnings.length === 0 ? {} : { warnings }),
      ...(plan?.resolved.reason === undefined ? {} : { reason: plan.resolved.reason }),
    };
  }

  /** Of an image that was taken over, what its own build told. */
  private reusedFacts(): Partial<ReleaseRecord['image']> {
    const reuse = this.image.build ? undefined : this.plan?.resolved.reuse;
    if (!reuse || this.image.push?.digest !== reuse.digest) return {};
    const { builtAt, certificateEnds } = reuse;
    return {
      ...(certificateEnds === undefined ? {} : { certificateEnds }),
      ...(builtAt === null ? {} : { builtAt }),
    };
  }

  /** Shows the state: current details, and those search attributes that are not as they were. */
  changed(): void {
    const record = this.record();
    this.notifications.noticed(record, this.request);
    const holds = [...this.holds].map(([branch, failure]) => ({ branch, failure }));
    setCurrentDetails(releaseDetails({ record, holds, children: this.children, moved: this.moved }));
    const stage = this.currentStage();
    const pairs: SearchAttributeUpdatePair[] = [
      { key: STAGE, value: stage },
      { key: STATUS, value: this.status },
      { key: HOST, value: this.hosts.size > 0 ? [...this.hosts] : null },
    ];
    // Each upsert is an event: only what changed is sent, all at once.
    const news = pairs.filter(({ key, value }) => (this.shown.get(key.name) ?? 'null') !== JSON.stringify(value));
    if (news.length === 0) return;
    for (const { key, value } of news) this.shown.set(key.name, JSON.stringify(value));
    upsertSearchAttributes(news);
  }

  /** Notes a host that works for this release. */
  addHost(host: string): void {
    if (this.hosts.has(host)) return;
    this.hosts.add(host);
    this.changed();
  }

  /** Notes where logs are kept; shown with the next change. */
  keepLogs(outcome: LogsOutcome): void {
    this.logs = outcome;
  }

  /** Takes a plan over: what its changes do not concern is kept. */
  adopt(plan: Plan): void {
    const { plan: before } = this;
    this.plan = plan;
    this.request = plan.request;
    this.table.reshape(releaseStages(plan.request));
    if (!before) {
      this.takeOver(plan);
      return;
    }
    this.table.updateAll((row) => row.name === 'tag' || row.name === 'record', { status: 'waiting', at: Date.now() });
    const late = ({ request }: Plan) => request.enrollment?.binding === 'late';
    // Late binding is no input of an image, and is looked at as it is built.
    if (before.resolved.imageInputs !== plan.resolved.imageInputs || (late(plan) && !late(before))) {
      this.discardImage();
    } else if (imageTags(before.request).join() !== imageTags(plan.request).join()) {
      this.unsignImage();
    }
    for (const subject of this.runs.keys()) {
      if (!requestedRuns(plan.request.disks).some((run) => run.subject === subject)) this.runs.delete(subject);
    }
    this.takeOver(plan);
  }

  /** The image of an earlier release is this one's: it is not built, and has been tried on a device. */
  private takeOver({ resolved: { reuse } }: Plan): void {
    if (!reuse || this.image.push) return;
    this.image = { ...NO_IMAGE, push: { digest: reuse.digest, host: null }, deviceVerified: true };
    const notNeeded: readonly Stage[] = ['build', 'push', 'device-verify'];
    this.table.updateAll((row) => row.subject === 'image' && notNeeded.includes(row.name), {
      status: 'skipped',
      at: Date.now(),
    });
  }

  /** The registry lost the image: it is to be pushed, signed and verified again. */
  unpushImage(): void {
    this.image.push = null;
    this.unsignImage();
    this.table.update('push', 'image', { status: 'waiting', at: Date.now() });
  }

  /** The image is not what it should be: it is to be built again. */
  discardImage(): void {
    this.image = { ...NO_IMAGE };
    this.reset('image');
  }

  /** The rows of a branch wait again. */
  reset(branch: string): void {
    this.table.updateAll((row) => isOfBranch(row, branch) && row.status !== 'waiting', {
      status: 'waiting',
      at: Date.now(),
      host: null,
      log: null,
    });
  }

  /**
   * Does the work of a branch until it succeeds; a failure that a person can mend holds it meanwhile.
   *
   * @param superseded tells after a hold that the branch is not wanted any more as it is.
   * @returns `false` when it was superseded.
   * @throws ReleaseFailed when the release must end.
   */
  async untilDone(branch: string, body: () => Promise<void>, superseded: () => boolean): Promise<boolean> {
    this.active.add(branch);
    try {
      for (;;) {
        try {
          await body();
          return true;
        } catch (error) {
          if (!(error instanceof StageFailed)) throw error;
          // What is ended by a cancellation may look like a failure of its own.
          if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
          await this.hold(branch, error.failure);
          if (superseded()) return false;
        }
      }
    } finally {
      this.active.delete(branch);
    }
  }

  /** Lets every held branch go on; returns which. */
  resume(): string[] {
    const resumed = this.heldBranches;
    this.holds.clear();
    this.table.updateAll((row) => row.status === 'held', { status: 'waiting', at: Date.now() });
    this.resumes += 1;
    this.changed();
    log.info('held branches go on', { event: 'resumed', branches: resumed });
    return resumed;
  }

  /** Closes the books: nothing changes any more. `record` replaces the release's own, for an unchanged one. */
  end(status: ReleaseStatus, failure: Failure | null, record: ReleaseRecord | null = null): void {
    const at = Date.now();
    this.table.updateAll((row) => row.status === 'running' || row.status === 'held', { status: 'cancelled', at });
    this.table.updateAll((row) => row.status === 'waiting', { status: 'skipped', at });
    this.holds.clear();
    this.outcome = { status, failure, record: record && { ...record, stages: this.table.rows } };
    this.changed();
    countEnd(status);
    log.info(`the release is ${status}`, { event: 'release-ended', status, ...loggable(failure) });
  }

  /** Waits for `flightline retry`. */
  private async hold(branch: string, failure: Failure): Promise<void> {
    const { onFailure, timing } = this.request;
    // A claim that failed has no row of its own: its stage stands for it.
    const stopped = this.table.rows
      .filter((row) => isOfBranch(row, branch))
      .filter((row) => row.status === 'failed' || (row.status === 'waiting' && row.name === failure.stage))
      .map(({ name, subject }) => ({ name, subject }));
    const mark = (status: StageStatus) => {
      for (const { name, subject } of stopped) this.table.update(name, subject, { status, at: Date.now() });
    };
    mark('failed');
    // To wait for approval is no failure.
    const waits = failure.kind === 'approval-needed';
    if (dispositionOf(failure) === 'fail' || (onFailure === 'fail' && !waits)) throw new ReleaseFailed(failure);
    mark('held');
    this.holds.set(branch, failure);
    this.changed();
    countHold(failure.kind);
    log.warn(`${branch} is held: ${failure.message}`, { event: 'held', branch, ...loggable(failure) });
    const { resumes } = this;
    try {
      const summary = `${branch} is held: ${failure.kind}`;
      const resumed = await condition(() => this.resumes !== resumes, timing.holdFor, { summary });
      if (resumed) return;
    } finally {
      this.holds.delete(branch);
    }
    mark('failed');
    throw new ReleaseFailed(failure);
  }

  private unsignImage(): void {
    this.image.signed = false;
    this.image.verified = false;
    this.image.deviceVerified = false;
    this.table.updateAll((row) => row.subject === 'image' && SIGNED_STAGES.includes(row.name), {
      status: 'waiting',
      at: Date.now(),
    });
  }

  private disks(): DiskRecord[] {
    const { tag, keepFiles } = this.request;
    const results = [...this.runs.values()].flatMap((run) => run.disks);
    return this.request.disks.map((disk) => {
      const result = results.find((one) => one.type === disk.type);
      return {
        type: disk.type,
        form: disk.publish,
        reference: disk.publish === 'none' ? null : `${disk.repository}:${tag}`,
        digest: result?.digest ?? null,
        verified: result?.verified ?? false,
        // The file in the work directory goes with the clean-up; only one that is kept has a lasting path.
        file: result ? { ...result.file, path: keepFiles === null ? null : result.file.path } : null,
      };
    });
  }

  /** The earliest stage that is not finished; at an end, the one that ended it. */
  private currentStage(): string | null {
    if (!this.outcome) return this.table.earliestUnfinished()?.name ?? null;
    return this.table.rows.find((row) => row.status === 'failed' || row.status === 'cancelled')?.name ?? null;
  }
}

/** What a line of the log says of a failure besides its message. */
function loggable(failure: Failure | null): Record<string, string | null> {
  return failure ? { kind: failure.kind, stage: failure.stage, remedy: failure.remedy } : {};
}
