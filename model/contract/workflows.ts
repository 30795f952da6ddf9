/**
 * The messages between client and workflows, and between a release and its builder runs: workflow types, inputs,
 * results, queries and updates.
 */
import { z } from 'zod';
import { DiskBuildInput } from './disk.ts';
import { LogPageInput } from './host.ts';
import { ReleaseIdentity } from '../release/identity.ts';
import { DISK_TYPE_NAMES } from '../spec/disk.ts';
import { Failure } from '../failure/failure.ts';
import { GateVerdict, PinnedGate, Waiver } from '../gate/gate.ts';
import { HostName } from '../base/host.ts';
import { DiskFile, ReleaseRecord } from '../release/record.ts';
import { Digest, Tag } from '../oci/reference.ts';
import { BootTest, ReleaseRequest, RequestedDisk } from '../spec/request.ts';
import { TimingSchema } from '../base/timing.ts';

/** Workflow types. */
export const RELEASE_WORKFLOW = 'release';
export const BUILDER_RUN_WORKFLOW = 'builderRun';
export const QUESTIONS_WORKFLOW = 'questions';

/** Input of the `builderRun` child: one builder run with the publication of its disks. */
export const BuilderRunInput = ReleaseIdentity.extend({
  build: DiskBuildInput,
  disks: z.array(RequestedDisk).min(1),
  /** Only when the disk is one of this run. */
  bootTest: BootTest.optional(),
  /** The gates on disks; absent without any. */
  gates: z.array(PinnedGate).min(1).optional(),
  /** Absent without any. */
  waivers: z.array(Waiver).min(1).optional(),
  key: z.string(),
  /** The release's host, asked first; null when it is lost. */
  preferredHost: z.string().nullable(),
  exclude: z.array(z.string()),
  /** Bytes to reserve. */
  space: z.number().int().nonnegative(),
  requestedAt: z.string(),
  tags: z.array(Tag).min(1),
  keepFiles: z.string().nullable(),
});
export type BuilderRunInput = z.infer<typeof BuilderRunInput>;

/** The result of a builder run whose disks are all published, signed and verified. */
export const BuilderRunResult = z.object({
  host: HostName,
  /** Every host that holds something of this release. */
  hosts: z.array(HostName),
  inputs: Digest,
  disks: z.array(
    z.object({ type: z.enum(DISK_TYPE_NAMES), digest: Digest.nullable(), verified: z.boolean(), file: DiskFile }),
  ),
  gates: z.array(GateVerdict).optional(),
  stages: ReleaseRecord.shape.stages,
});
export type BuilderRunResult = z.infer<typeof BuilderRunResult>;

/** Details of the failure with which a `builderRun` ends: what is held, and what its stages were. */
export const BuilderRunFailure = z.object({
  failure: Failure,
  /** What gates said of its disks, whether it failed by that or not. */
  gates: z.array(GateVerdict).optional(),
  hosts: z.array(HostName),
  stages: ReleaseRecord.shape.stages,
});
export type BuilderRunFailure = z.infer<typeof BuilderRunFailure>;

/** Query on `release`, and on `builderRun` for its own stages only: the record as it is now. */
export const RECORD_QUERY = 'record';

/** Update on `release`: resumes every held branch; with a request, stages whose inputs changed run again. */
export const RETRY_UPDATE = 'retry';
export const RetryInput = z.object({ request: ReleaseRequest.nullable() });
export type RetryInput = z.infer<typeof RetryInput>;
export const RetryResult = z.object({
  /** Subjects of the branches that go on. */
  resumed: z.array(z.string()),
});
export type RetryResult = z.infer<typeof RetryResult>;

/** Input of the `log` workflow: one page of a log of a host. */
export const LogInput = LogPageInput.extend({ host: HostName, timing: TimingSchema });
export type LogInput = z.infer<typeof LogInput>;

/** Details of the failure with which a `release` ends as failed: the whole record. */
export const ReleaseFailure = z.object({ record: ReleaseRecord });

/** Update on `questions`, the workflow of what one command asks: one question, answered by whoever knows. */
export const ASK_UPDATE = 'ask';
/** What may be asked: what a host does, a page of its log, a dry run, what a night would do, what a tag points at. */
export const Question = z.object({ about: z.enum(['host', 'log', 'plan', 'night', 'tag']), input: z.unknown() });
export type Question = z.infer<typeof Question>;
