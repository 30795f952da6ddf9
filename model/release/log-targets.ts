/** Which logs of a release are meant, where they are, and when nothing more comes. Pure. */
import { releaseKey } from './inputs.ts';
import type { ReleaseRecord, StageRow } from './record.ts';
import { isFinal, isLogged, logName, type Stage } from '../stage/stage.ts';

/** Which rows of a record are meant; everything that is absent lets all through. */
export interface LogFilter {
  stage?: Stage | undefined;
  subject?: string | undefined;
}

/** `true` for the rows that are meant. */
export function isMeant(row: Pick<StageRow, 'name' | 'subject'>, { stage, subject }: LogFilter): boolean {
  return (stage === undefined || row.name === stage) && (subject === undefined || row.subject === subject);
}

/** A log that is or was written. */
export interface LogTarget {
  /** Equal for all attempts that write to one file. */
  key: string;
  /** `disk-build qcow2 (host-a)` */
  label: string;
  host: string;
  /** Absolute when it is known; else from the host's log directory. */
  path: string;
  isRunning: boolean;
}

/** The logs of the rows that have begun on a host. Pure. */
export function logTargets(record: ReleaseRecord, filter: LogFilter): LogTarget[] {
  return record.stages.flatMap((row): LogTarget[] => {
    const { name, subject, host, status } = row;
    if (!isLogged(name) || host === null || !isMeant(row, filter)) return [];
    if (status === 'waiting' || status === 'skipped') return [];
    const file = `${logName(name, subject)}.log`;
    const isRunning = status === 'running';
    // An earlier attempt's log may be noted in a row that runs again: it may have been on another host.
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

/** `true` when nothing of what is meant will be written any more, or not before a person does something. */
export function isOver(record: ReleaseRecord, filter: LogFilter): boolean {
  if (isFinal(record.status) || record.status === 'held') return true;
  if (filter.stage === undefined && filter.subject === undefined) return false;
  const rows = record.stages.filter((row) => isMeant(row, filter) && isLogged(row.name));
  return rows.every(({ status }) => ['done', 'failed', 'skipped', 'cancelled'].includes(status));
}
