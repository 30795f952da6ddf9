/**
 * The `builderRun` workflow, child of a release: one run of the builder, then publication, signature and verification
 * of each of its disks. It never holds: it fails, and its release holds the branch and starts it again.
 */
import {
  CancellationScope,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { z } from 'zod';
import type { DiskBuildResult, PublishResult } from '../../../model/contract/disk.ts';
import { BuilderRunInput, type BuilderRunResult } from '../../../model/contract/workflows.ts';
import { failureOf, type Failure } from '../../../model/failure/failure.ts';
import type { GateVerdict } from '../../../model/gate/gate.ts';
import type { RequestedDisk } from '../../../model/spec/request.ts';
import { StageFailed, toTemporalFailure, unexpectedFailure } from '../../failure.ts';
import { concernsHost, HostSegment } from '../../host/segment.ts';
import type { ClaimedHost } from '../../host/claimed-host.ts';
import { builderRunQuery, hostSignal, type BuilderRunState } from '../../signals-and-queries.ts';
import { activities } from '../../activities.ts';
import { runStage, settled, sideBySide, type Settled, type StageBoard } from '../../run-stage.ts';
import { signAndVerify } from '../../signing.ts';
import { builderRunStages, StageTable } from '../../../model/release/stage-table.ts';
import { builderRunDetails } from '../record.ts';
import { bootDisk, passDisks, publishDisk } from './disk-stages.ts';
import { showDetails } from '../../details.ts';

/** One builder run with all its disks. Fails with {@link BuilderRunFailure} in the details. */
export async function builderRun(input: BuilderRunInput): Promise<BuilderRunResult> {
  const parsed = BuilderRunInput.safeParse(input);
  if (!parsed.success) {
    const failure = failureOf('invalid-input', z.prettifyError(parsed.error), { stage: 'disk-build' });
    throw toTemporalFailure(failure, { failure, hosts: [], stages: [] });
  }
  const run = new Run(parsed.data);
  setHandler(builderRunQuery, () => run.state());
  try {
    return await run.execute();
  } catch (error) {
    throw run.ended(error);
  }
}

class Run implements StageBoard {
  readonly table: StageTable;
  private readonly input: BuilderRunInput;
  /** Hosts in the order in which they were claimed. The last one has the files. */
  private hosts: string[] = [];
  private failure: Failure | null = null;
  private built: DiskBuildResult | null = null;
  /** The files on the current host have passed the boot test. */
  private booted = false;
  /** So they have the gates, or were waived. */
  private passed = false;
  private verdicts: GateVerdict[] = [];
  private readonly published = new Map<string, PublishResult>();
  /** Failed publications where another host would not help. */
  private readonly problems: StageFailed[] = [];
  /** Signatures and verifications under way; they need no host. */
  private readonly finishing: Promise<Settled<void>>[] = [];

  constructor(input: BuilderRunInput) {
    this.input = input;
    const { types, platform } = input.build;
    this.table = new StageTable(builderRunStages({ ...input, types, platform }));
    this.changed();
  }

  changed(): void {
    showDetails(builderRunDetails(this.input.release, this.table, this.failure));
  }

  state(): BuilderRunState {
    return { stages: this.table.rows, failure: this.failure, hosts: this.hosts };
  }

  async execute(): Promise<BuilderRunResult> {
    const { build, release, runId, preferredHost, exclude, space, requestedAt } = this.input;
    const { branch, architecture, timing } = build;
    const segment = new HostSegment({
      identity: { release, runId },
      branch,
      architecture,
      timing,
      space,
      requestedAt,
      exclude,
      slot: 'disk',
      stage: 'disk-build',
      preferred: preferredHost,
    });
    const onHost = await settled(
      segment.work({
        body: (host) => this.onHost(host),
        claimed: (host) => this.claimed(host),
        left: () => this.left(),
      }),
    );
    const finished = await Promise.all(this.finishing);
    const failed = [onHost, ...finished].find((one) => !one.ok);
    if (failed && !failed.ok) throw failed.error;
    if (this.problems[0]) throw this.problems[0];
    return this.result();
  }

  /** Turns the error that ended the run into a failure that its release can read. */
  ended(error: unknown): unknown {
    const at = Date.now();
    if (isCancellation(error)) {
      this.table.updateAll((row) => row.status === 'running', { status: 'cancelled', at });
      this.changed();
      return error;
    }
    const failure = error instanceof StageFailed ? error.failure : unexpectedFailure(error);
    this.failure = failure;
    // A failed claim has no row of its own.
    this.table.updateAll((row) => row.name === failure.stage && row.name === 'disk-build', { status: 'failed', at });
    this.changed();
    return toTemporalFailure(failure, { failure, hosts: this.hosts, ...this.gated(), stages: this.table.rows });
  }

  private claimed(host: string): void {
    this.hosts = [...this.hosts.filter((one) => one !== host), host];
    if (host === this.input.preferredHost) return;
    const { workflowId, runId } = workflowInfo().parent ?? {};
    if (!workflowId) return;
    // Not awaited, so that the work goes on. A run that is being cancelled must name its host too.
    void CancellationScope.nonCancellable(async () => {
      const told = await settled(getExternalWorkflowHandle(workflowId, runId).signal(hostSignal, host));
      if (!told.ok) log.warn('the release did not hear of a claimed host', { host });
    });
  }

  private left(): void {
    this.built = null;
    this.booted = false;
    this.passed = false;
  }

  private async onHost(host: ClaimedHost): Promise<void> {
    const { build, disks } = this.input;
    const { branch, timing } = build;
    const built = (this.built ??= await runStage(this, { name: 'disk-build', subject: branch }, host.name, () =>
      host.run((scheduleToStart) => {
        const { diskBuildStartToClose: startToClose } = timing;
        const place = { host: host.name, work: 'disk', startToClose, scheduleToStart } as const;
        const worker = activities('stage', timing, `disk-build ${branch} on ${host.name}`, place);
        return worker.diskBuild(build);
      }),
    ));
    // Before publication: a tag must never point at a disk that does not boot.
    if (!this.booted) await bootDisk(this, host, this.input, built);
    this.booted = true;
    if (!this.passed) await passDisks(this, host, this.input, built, (verdicts) => (this.verdicts = verdicts));
    this.passed = true;
    // No more than the host does at a time: what waits in its queue would have to ask whether it is still there.
    await sideBySide(
      disks.filter(({ type }) => !this.published.has(type)),
      host.transfers,
      (disk) => this.finish(host, disk, built),
    );
  }

  private async finish(host: ClaimedHost, disk: RequestedDisk, built: DiskBuildResult): Promise<void> {
    try {
      const published = await publishDisk(this, host, this.input, disk, built);
      this.published.set(disk.type, published);
      // Of several platforms the release signs what joins them.
      if (!this.input.build.platform) this.finishing.push(settled(this.signAndVerify(disk, published)));
    } catch (error) {
      if (!(error instanceof StageFailed) || concernsHost(error)) throw error;
      this.problems.push(error);
    }
  }

  private async signAndVerify(disk: RequestedDisk, { digest }: PublishResult): Promise<void> {
    const { release, runId, key, tags, build } = this.input;
    const { timing } = build;
    if (digest === null) {
      const skipped = { status: 'skipped', at: Date.now() } as const;
      this.table.updateAll((row) => row.subject === disk.type && row.status === 'waiting', skipped);
      return this.changed();
    }
    const input = { release, runId, key, repository: disk.repository, digest, tags, timing };
    await signAndVerify(this, disk.type, input, { signed: false, verified: false });
  }

  private gated(): Pick<BuilderRunResult, 'gates'> {
    return this.verdicts.length > 0 ? { gates: this.verdicts } : {};
  }

  private result(): BuilderRunResult {
    const { built, hosts, published } = this;
    if (!built) throw new Error('a builder run ended without a result');
    return {
      host: built.host,
      hosts,
      inputs: built.inputs,
      disks: this.input.disks.map((disk) => {
        const { digest, file } = published.get(disk.type)!;
        return { type: disk.type, digest, verified: digest !== null && !this.input.build.platform, file };
      }),
      ...this.gated(),
      stages: this.table.rows,
    };
  }
}
