/** The log of a stage on a host: its path, and the failures that name it. */
import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FlightlineError, type LogLocation } from '../../../model/failure/failure.ts';
import type { HostContext } from '../work-directory.ts';

/** `<work>/logs/<release>/<name>.log` on this host; makes the directory. */
export async function stageLog(
  host: Pick<HostContext, 'name' | 'work'>,
  release: string,
  name: string,
): Promise<LogLocation> {
  const directory = host.work.releaseLogs(release);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return { host: host.name, path: join(directory, `${name}.log`) };
}

/** Runs `body`. A failure of a known kind gets the log's place, if there is a log. */
export async function withLog<Result>(log: LogLocation, body: () => Promise<Result>): Promise<Result> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof FlightlineError) error.failure.log ??= await existingLog(log);
    throw error;
  }
}

/** Where the log is; null without a file, as when the stage adopted its result. */
export async function existingLog(log: LogLocation): Promise<LogLocation | null> {
  return lstat(log.path).then(
    () => log,
    () => null,
  );
}
