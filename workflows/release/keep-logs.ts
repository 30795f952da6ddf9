/**
 * At the end of a release each host that wrote logs sends them to the registry; that it cannot never fails the release.
 */
import type { ActivitiesOn } from '../../model/contract/activities.ts';
import { ActivityFailure } from '@temporalio/common';
import { isCancellation, proxyActivities } from '@temporalio/workflow';
import type { ReleaseIdentity } from '../../model/release/identity.ts';
import type { KeptLogs } from '../../model/release/record.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { failureFrom } from '../failure.ts';
import { keepLogsOptions } from '../options.ts';
import { settled } from './run-stage.ts';
import type { StageTable } from '../../model/release/stage-table.ts';

/** Longest reason in a warning (characters): the record must fit in a payload. */
const MAX_REASON = 200;

/** What became of the logs. */
export interface LogsOutcome {
  kept: KeptLogs[];
  warnings: string[];
}

/**
 * Sends the logs that the stage table names. Never rejects for what an activity failed with, a cancellation among it.
 */
export async function keepLogs(
  { identity, table }: { identity: ReleaseIdentity; table: StageTable },
  { logRepository: repository, timing }: Pick<ReleaseRequest, 'logRepository' | 'timing'>,
): Promise<LogsOutcome> {
  const outcome: LogsOutcome = { kept: [], warnings: [] };
  // Requests of older clients have no such repository, and neither have those that leave logs where they are.
  if (repository === undefined) return outcome;
  const logs = table.rows.flatMap(({ log }) => log ?? []);
  const hosts = [...new Set(logs.map(({ host }) => host))];
  await Promise.all(
    hosts.map(async (host) => {
      const paths = [...new Set(logs.filter((log) => log.host === host).map(({ path }) => path))];
      const options = keepLogsOptions(timing, host, `keep the logs of ${host}`);
      const sent = await settled(
        proxyActivities<ActivitiesOn<'short'>>(options).keepLogs({ ...identity, repository, paths, timing }),
      );
      if (sent.ok) {
        if (sent.value.digest !== null) outcome.kept.push({ host, repository, digest: sent.value.digest });
        return;
      }
      if (isCancellation(sent.error)) return;
      if (!(sent.error instanceof ActivityFailure)) throw sent.error;
      const reason = failureFrom(sent.error, null).message.slice(0, MAX_REASON);
      outcome.warnings.push(`the logs of ${host} are not in ${repository}, and stay on the host for 7 days: ${reason}`);
    }),
  );
  outcome.kept.sort((left, right) => (left.host < right.host ? -1 : 1));
  return outcome;
}
