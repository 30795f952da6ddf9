/** Finds the logs of a release, and tells when nothing more will be written. Pure. */
import { releaseKey } from './inputs.ts';
import type { ReleaseRecord, StageRow } from './record.ts';
import { isFinal, isLogged, logName, type Stage } from '../stage/stage.ts';

/** Selects rows of a record. What is absent filters nothing. */
export interface LogFilter {
  stage?: Stage | undefined;
  subject?: string | undefined;
}

/** `true` for a selected row. */
export function isMeant(row: Pick<StageRow, 'name' | 'subject'>, { stage, subject }: LogFilter): boolean {
  return (stage === undefined || row.name === stage) && (subject === undefined || row.subject === subject);
}

/** A log that was or is being written. */
export interface LogTarget {
  /** The same for all attempts that write to one file. */
  key: string;
  /** `disk-build qcow2 (host-a)` */
  label: string;
  host: string;
  /** Absolute when it is known, else relative to the host's log directory. */
  path: string;
  isRunning: boolean;
}

/** The logs of rows that have begun on a host. Pure. */
export function logTargets(record: ReleaseRecord, filter: LogFilter): LogTarget[] {
  return record.stages.flatMap((row): LogTarget[] => {
    const { name, subject, host, status } = row;
    if (!isLogged(name) || host === null || !isMeant(row, filter)) return [];
    if (status === 'waiting' || status === 'skipped') return [];
    const file = `${logName(name, subject)}.log`;
    const isRunning = status === 'running';
    // A row that runs again may still have the log of an earlier attempt on another host.
    const noted = row.log?.host === host ? row.log.path : undefined;
    return [
      {
        key: `${host}/${file}`,
        label: `${name} ${subject} (${host})`,
        host,
        path: noted ?? `${releaseKey(record.release)}/${file}`,
        isRunning,
      },
    ];
  });
}

/** `true` when the selected rows write nothing more, or not before a person acts. */
export function isOver(record: ReleaseRecord, filter: LogFilter): boolean {
  if (isFinal(record.status) || record.status === 'held') return true;
  if (filter.stage === undefined && filter.subject === undefined) return false;
  const rows = record.stages.filter((row) => isMeant(row, filter) && isLogged(row.name));
  return rows.every(({ status }) => ['done', 'failed', 'skipped', 'cancelled'].includes(status));
}
