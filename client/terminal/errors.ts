/**
 * How an error reaches a person: what failed, why, what to do next, and the exit code. The one place that decides it.
 */
import type { ErrorDocument } from '../../model/failure/error-document.ts';
import type { Failure } from '../../model/failure/failure.ts';
import type { FailureKind } from '../../model/failure/failures.ts';
import { remedyText } from '../../model/failure/remedy-text.ts';
import { sourceStack } from '../../activities/tools/source-stack.ts';
import { EXIT } from './exit-codes.ts';

/** What is printed of an error; with `--json` as `{"error": …}`. */
type Explanation = ErrorDocument['error'];

/** An error that a person can act upon: shown without a stack trace. */
export class UserError extends Error {
  readonly kind: string;
  readonly remedy: string;
  readonly exitCode: number;
  constructor(kind: string, message: string, remedy: string, exitCode: number = EXIT.usage, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'UserError';
    this.kind = kind;
    this.remedy = remedy;
    this.exitCode = exitCode;
  }
}

/** The error for a command whose work the workers could not do. `name` is what the command was about. */
export function requestFailed(failure: Failure, name: string): UserError {
  return new UserError(failure.kind, failure.message, remedyText(failure, 'request', name), EXIT.failed);
}

/** The answer of {@link explain}. */
export interface Explained {
  explanation: Explanation;
  exitCode: number;
  /** Only for an unexpected error: a fault in flightline, whose report needs the trace. */
  stack: string | undefined;
}

/** Kinds that mean: what the user wrote is wrong (exit code 2, as for any usage). */
const WRONG_INPUT: ReadonlySet<FailureKind> = new Set(['invalid-input', 'context-invalid', 'containerfile-invalid']);

/** gRPC status codes (grpc/grpc `doc/statuscodes.md`). */
const GRPC = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  failedPrecondition: 9,
  unavailable: 14,
  unauthenticated: 16,
};

/**
 * Explains any error. Errors of Temporal's client are known by name and code, not by class: its package is not loaded
 * by commands that need none of it.
 */
export function explain(error: unknown): Explained {
  if (error instanceof UserError) {
    const { kind, message, remedy, exitCode } = error;
    return { explanation: { kind, message, remedy }, exitCode, stack: undefined };
  }
  const failure = carriedFailure(error);
  if (failure) {
    const { kind, message } = failure;
    const remedy = remedyText(failure, 'client');
    const exitCode = WRONG_INPUT.has(kind) ? EXIT.usage : EXIT.failed;
    return { explanation: { kind, message, remedy }, exitCode, stack: undefined };
  }
  const kept = fromTheFloorBelow(error);
  if (kept) return { explanation: kept, exitCode: EXIT.unavailable, stack: undefined };
  if (isUnavailable(error) || isRefused(error)) {
    return {
      explanation: {
        kind: 'no-temporal',
        message: `Temporal refused or did not answer: ${grpcDetails(error)}`,
        remedy: 'see that it runs and that the TEMPORAL_* variables or profile name it; `flightline doctor` looks',
      },
      exitCode: EXIT.unavailable,
      stack: undefined,
    };
  }
  const fault = error instanceof Error ? error : new Error(String(error));
  const system = fault as NodeJS.ErrnoException;
  if (typeof system.code === 'string' && /^E[A-Z]+$/.test(system.code) && system.syscall) {
    return {
      explanation: { kind: 'system', message: fault.message, remedy: 'check the path, its rights and the space left' },
      exitCode: EXIT.failed,
      stack: undefined,
    };
  }
  return {
    explanation: {
      kind: 'unexpected',
      message: fault.message,
      remedy: 'this is a fault of flightline: please report it with the trace above',
    },
    exitCode: EXIT.failed,
    stack: fault.stack && sourceStack(fault.stack),
  };
}

/** The failure in a FlightlineError, known by its name: its module loads zod, which `--help` does not wait for. */
function carriedFailure(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || error.name !== 'FlightlineError') return undefined;
  return (error as { failure?: Failure }).failure;
}

/** Errors of the workers' floor about Temporal, known by name so that workers/ is not loaded to recognise them. */
function fromTheFloorBelow(error: unknown): Explanation | undefined {
  if (!(error instanceof Error)) return undefined;
  const { remedy } = error as { remedy?: unknown };
  if (error.name === 'TemporalUnreachableError' || error.name === 'TemporalCliError') {
    return { kind: 'no-temporal', message: error.message, remedy: typeof remedy === 'string' ? remedy : '' };
  }
  return undefined;
}

/** The gRPC status code of an error of Temporal's client, looked for in its causes too. */
function grpcCode(error: unknown): number | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'number') return code;
  }
  return undefined;
}

/** What the server said, without the client's own prefix. */
export function grpcDetails(error: unknown): string {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { details } = at as { details?: unknown };
    if (typeof details === 'string' && details !== '') return details;
  }
  return errorMessage(error);
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `true` for what passes by itself: Temporal is away, restarts, or is slow. */
export function isUnavailable(error: unknown): boolean {
  const code = grpcCode(error);
  return code === GRPC.unavailable || code === GRPC.deadlineExceeded;
}

/**
 * `true` when a query found no worker: none answered in time, none has polled lately, or none gets past a fault in
 * the workflow's code. The server answers, so it is not Temporal that is away.
 */
export function isWorkerAway(error: unknown): boolean {
  return isUnavailable(error) || grpcCode(error) === GRPC.failedPrecondition;
}

/** `true` when Temporal refuses the caller. */
export function isRefused(error: unknown): boolean {
  const code = grpcCode(error);
  return code === GRPC.permissionDenied || code === GRPC.unauthenticated;
}

/** `true` when the server says that something named does not exist (a workflow, a namespace). */
export function isNotFound(error: unknown): boolean {
  return grpcCode(error) === GRPC.notFound || (error instanceof Error && error.name === 'WorkflowNotFoundError');
}

/** `true` when the schedule does not exist. */
export function isUnknownSchedule(error: unknown): boolean {
  return isNotFound(error) || (error instanceof Error && error.name === 'ScheduleNotFoundError');
}

/** `true` when the server calls the request itself wrong. */
export function isInvalidArgument(error: unknown): boolean {
  return grpcCode(error) === GRPC.invalidArgument;
}

/** The text of an error for people: `error: …`, then what to do. */
export function errorText({ explanation, stack }: Explained): string {
  const { kind, message, remedy } = explanation;
  // Ctrl-C is not an error.
  const first = kind === 'interrupted' ? message : `error: ${message}`;
  return [...(stack ? [stack] : []), first, ...(remedy ? [`  ${remedy}`] : [])].join('\n');
}
