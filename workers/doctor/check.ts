/** What a check is, and what it finds. */
import { CommandError } from '../../activities/tools/process/command.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { Role } from '../../model/contract/queue.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';

const FINDING_STATUSES = ['ok', 'warning', 'failed'] as const;
export type FindingStatus = (typeof FINDING_STATUSES)[number];

/** A new file that fixes a finding. Existing files of others are never changed. */
export interface Fix {
  file: string;
  content: string;
}

/** What a check found. */
export interface CheckFinding {
  /** The check's name. */
  name: string;
  status: FindingStatus;
  /** What was seen, in one line. */
  detail: string;
  /** What to do; null when everything is fine. */
  remedy: string | null;
  /** What `doctor --fix` would write, when a drop-in file fixes it. */
  fix: Fix | null;
  /** `true` when the file was written and the check passed afterwards. */
  fixed: boolean;
}

/** The input of checks. */
export interface DoctorContext {
  roles: readonly Role[];
  configuration: WorkerConfiguration;
  environment: NodeJS.ProcessEnv;
}

/** The result of a check: a finding without its name. */
export type CheckResult = Pick<CheckFinding, 'status' | 'detail'> & { remedy?: string; fix?: Fix };

/** Something that the roles need of this machine. */
export interface Check {
  name: string;
  /** The roles that need it. */
  roles: readonly Role[];
  /** Checks, by doing it where possible. An error becomes a failed finding. */
  run(context: DoctorContext): Promise<CheckResult>;
}

export function ok(detail: string): CheckResult {
  return { status: 'ok', detail };
}

export function warning(detail: string, remedy: string, fix?: Fix): CheckResult {
  return { status: 'warning', detail, remedy, fix };
}

export function failed(detail: string, remedy: string, fix?: Fix): CheckResult {
  return { status: 'failed', detail, remedy, fix };
}

/** A failed result from an error; for a program, with its last lines. */
export function failedBy(error: unknown, remedy: string): CheckResult {
  if (error instanceof CommandError && error.notFound) {
    return failed(error.message, `install ${error.program} with the system's package manager`);
  }
  if (error instanceof FlightlineError) return failed(error.failure.message, error.failure.remedy.action);
  return failed(error instanceof Error ? error.message : String(error), remedy);
}

/** Longest time for a program that only reads (ms). */
export const LOOK_WITHIN = 30_000;
