/** The logs that a record knows of, and which of them are meant. Pure. */
import type { LogLocation } from '../../model/failure/failure.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { LogFilter } from '../../model/release/log-targets.ts';

/** A log that the record knows of. */
export interface KnownLog extends LogLocation {
  stage: string;
  /** Empty for the log of a failure whose stage is not in the table. */
  subject: string;
  /** ISO 8601; null when it is not known. */
  startedAt: string | null;
}

/** Every log of a record, in the order of its stages, each once. */
export function knownLogs(record: ReleaseRecord): KnownLog[] {
  const found: KnownLog[] = record.stages.flatMap((row) =>
    row.log ? [{ ...row.log, stage: row.name, subject: row.subject, startedAt: row.startedAt }] : [],
  );
  const { failure } = record;
  if (failure?.log) found.push({ ...failure.log, stage: failure.stage ?? 'failure', subject: '', startedAt: null });
  return found.filter(
    (log, index) => found.findIndex((other) => other.host === log.host && other.path === log.path) === index,
  );
}

/**
 * The logs to print: those that are meant; without a word on it the log of the failure, else of the stage that began
 * last.
 */
export function chooseLogs(record: ReleaseRecord, { stage, subject }: LogFilter): KnownLog[] {
  const known = knownLogs(record);
  if (stage !== undefined || subject !== undefined) {
    return known.filter(
      (log) => (stage === undefined || log.stage === stage) && (subject === undefined || log.subject === subject),
    );
  }
  const failed = record.failure?.log;
  const chosen = failed
    ? known.find((log) => log.host === failed.host && log.path === failed.path)
    : known.toSorted((left, right) => (left.startedAt ?? '').localeCompare(right.startedAt ?? '')).at(-1);
  return chosen ? [chosen] : [];
}
