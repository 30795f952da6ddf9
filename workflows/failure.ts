/** Turns any Temporal failure into a {@link Failure} of a known kind, and back. Pure. */
import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  type TemporalFailure,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/common';
import { DeterminismViolationError } from '@temporalio/workflow';
import { z } from 'zod';
import { BuilderRunFailure } from '../model/contract/workflows.ts';
import { Failure, failureOf, jsonBytes, lastBytes } from '../model/failure/failure.ts';
import { FAILURES, type FailureKind } from '../model/failure/failures.ts';
import type { Disposition } from '../model/failure/failure-row.ts';
import type { ReleaseRecord } from '../model/release/record.ts';
import { roleOf } from '../model/contract/activities.ts';
import type { Stage } from '../model/stage/stage.ts';

/** A stage failed, and retrying it where it ran does not help. Never leaves a workflow. */
export class StageFailed extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.name = 'StageFailed';
    this.failure = failure;
  }
}

/** The host of a branch is gone: its work is done again on another host. Never leaves a workflow. */
export class HostLost extends Error {
  readonly host: string;
  constructor(host: string) {
    super(`${host} does not answer`);
    this.name = 'HostLost';
    this.host = host;
  }
}

/** The branch no longer has a lease on its host: it claims a host again, maybe the same. Never leaves a workflow. */
export class LeaseLost extends HostLost {
  constructor(host: string) {
    super(host);
    this.message = `${host} holds no lease of the branch any more`;
    this.name = 'LeaseLost';
  }
}

/** The release ends as failed. Never leaves a workflow. */
export class ReleaseFailed extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.name = 'ReleaseFailed';
    this.failure = failure;
  }
}

/** What is to be done about a failure. */
export function dispositionOf(failure: Pick<Failure, 'kind'>): Disposition {
  return FAILURES[failure.kind].disposition;
}

/** `true` when nobody reported a failure, but the host fell silent: the workflow handles that, not the server. */
export function isSilence(error: unknown): boolean {
  const type = timeoutTypeOf(error);
  return type === 'HEARTBEAT' || type === 'SCHEDULE_TO_START';
}

/** `true` when an activity that fell silent had begun: one that waits for its start may be a later attempt. */
export function hadBegun(error: unknown): boolean {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof TimeoutFailure)) return false;
  const { timeoutType, lastHeartbeatDetails } = error.cause;
  return timeoutType !== 'SCHEDULE_TO_START' || lastHeartbeatDetails != null;
}

/** `true` when a host's activity found no lease for its branch: it lapsed, or was cleaned up. */
export function isLeaseLost(error: unknown): boolean {
  const kind: FailureKind = 'no-slot';
  return error instanceof ActivityFailure && error.cause instanceof ApplicationFailure && error.cause.type === kind;
}

/** `true` when a claim ran out of time because the last host asked was busy. */
export function wasBusy(error: unknown): boolean {
  const kind: FailureKind = 'no-slot';
  if (!(error instanceof ActivityFailure)) return false;
  const { cause } = error;
  if (cause instanceof ApplicationFailure) return cause.type === kind;
  return cause instanceof TimeoutFailure && cause.failure?.cause?.applicationFailureInfo?.type === kind;
}

/** How often a branch makes again what the registry lost before it is held. */
const MAX_LOST = 3;

/** Counts a loss in the registry. `false` when the branch has lost too much, and is to be held. */
export function mayGoBack(lost: Map<string, number>, branch: string): boolean {
  const times = (lost.get(branch) ?? 0) + 1;
  lost.set(branch, times > MAX_LOST ? 0 : times);
  return times <= MAX_LOST;
}

/** The kind of timeout that ended an activity, if one did. */
export function timeoutTypeOf(error: unknown): string | undefined {
  return error instanceof ActivityFailure && error.cause instanceof TimeoutFailure
    ? error.cause.timeoutType
    : undefined;
}

/** The failure of an activity or child workflow. `stage` is used when it names none. */
export function failureFrom(error: TemporalFailure, stage: Stage | null): Failure {
  const found = readFailure(error, stage);
  return { ...found, stage: found.stage ?? stage };
}

/** The details of a failed builder run; `undefined` when it has none. */
export function builderRunFailureFrom(error: unknown): BuilderRunFailure | undefined {
  if (!(error instanceof ChildWorkflowFailure) || !(error.cause instanceof ApplicationFailure)) return undefined;
  const parsed = BuilderRunFailure.safeParse(error.cause.details?.[0]);
  return parsed.success ? parsed.data : undefined;
}

/**
 * The failure for a fault in a workflow's own code.
 *
 * @throws the error itself when the history does not fit the code: that must not end a running release.
 */
export function unexpectedFailure(error: unknown): Failure {
  if (error instanceof DeterminismViolationError) throw error;
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return failureOf('unexpected', `a fault of flightline: ${said}`, {
    remedy: 'report it with this message and the version (`flightline --version`)',
  });
}

/**
 * Longest message of a Temporal failure (characters). Its details have the message in full; payloads stay below
 * 10 kB.
 */
const MAX_OUTER_MESSAGE = 1_000;

/** The Temporal failure with which a workflow ends, or refuses an update. `details` hold everything. */
export function toTemporalFailure(failure: Failure, details: unknown): ApplicationFailure {
  const { message } = failure;
  const shown = message.length > MAX_OUTER_MESSAGE ? `…${message.slice(1 - MAX_OUTER_MESSAGE)}` : message;
  return ApplicationFailure.nonRetryable(shown, failure.kind, details);
}

/** Bytes of a payload (at most 10 kB) without its envelope. */
const MAX_DETAILS = 9_500;

/**
 * The record as the details of a failure. Where it is too long, the message of its failure keeps only its end.
 */
export function fittingRecord(record: ReleaseRecord): ReleaseRecord {
  const { failure } = record;
  const excess = jsonBytes({ record }) - MAX_DETAILS;
  if (!failure || excess <= 0) return record;
  const message = lastBytes(failure.message, Math.max(100, jsonBytes(failure.message) - excess));
  return { ...record, failure: { ...failure, message } };
}

function readFailure(error: TemporalFailure, stage: Stage | null): Failure {
  if (error instanceof ChildWorkflowFailure) return readChild(error, stage);
  if (error instanceof ApplicationFailure) return reportedFailure(error);
  if (!(error instanceof ActivityFailure)) return failureOf('unexpected', error.message);
  const { cause } = error;
  if (cause instanceof ApplicationFailure) {
    const reported = reportedFailure(cause);
    // The server gave up retrying.
    return dispositionOf(reported) === 'retry' ? exhausted(reported.message, reported.log) : reported;
  }
  if (cause instanceof TimeoutFailure) {
    const last = cause.failure?.cause?.message;
    if (last) return exhausted(last, null);
    if (cause.timeoutType === 'SCHEDULE_TO_CLOSE' || cause.timeoutType === 'SCHEDULE_TO_START') {
      return exhausted(`${stage ?? error.activityType} was not done in time: ${absentWorker(stage)}`, null);
    }
    const how = cause.timeoutType === 'HEARTBEAT' ? 'fell silent again and again' : 'did not end in time';
    return exhausted(`${stage ?? error.activityType} ${how}`, null);
  }
  return failureOf('unexpected', cause?.message ?? error.message);
}

function readChild(error: ChildWorkflowFailure, stage: Stage | null): Failure {
  const told = builderRunFailureFrom(error);
  if (told) return told.failure;
  if (error.cause instanceof ApplicationFailure) return reportedFailure(error.cause);
  const how = error.cause instanceof TerminatedFailure ? 'was terminated' : `ended: ${error.cause?.message ?? ''}`;
  return failureOf('unexpected', `the workflow ${error.execution.workflowId} ${how}`, {
    stage,
    remedy: 'find out who ended it',
  });
}

/** The failure that an activity reported in the details. */
function reportedFailure(cause: ApplicationFailure): Failure {
  const parsed = Failure.safeParse(cause.details?.[0]);
  if (parsed.success) return parsed.data;
  return failureOf(isKind(cause.type) ? cause.type : 'unexpected', cause.message);
}

function isKind(type: unknown): type is FailureKind {
  return typeof type === 'string' && Object.hasOwn(FAILURES, type);
}

function exhausted(message: string, log: Failure['log']): Failure {
  return failureOf('retries-exhausted', `it was tried until its time was up: ${message}`, { log });
}

function absentWorker(stage: Stage | null): string {
  const role = stage === null ? 'control' : roleOf(stage);
  const whose = role === 'build' ? 'the build worker of its host' : `a ${role} worker`;
  return `see that ${whose} runs (\`flightline worker --role ${role}\`)`;
}

/**
 * Parses an input.
 *
 * @throws ApplicationFailure `invalid-input`, not retried. The SDK would retry any other error for ever.
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const failure = failureOf('invalid-input', z.prettifyError(parsed.error));
  throw toTemporalFailure(failure, failure);
}
