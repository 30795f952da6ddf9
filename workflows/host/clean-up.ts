/** The end of a release on its hosts: sends their logs to the registry and removes everything else. */
import { ActivityFailure } from '@temporalio/common';
import { CancellationScope, isCancellation, log } from '@temporalio/workflow';
import type { ReleaseIdentity } from '../../model/release/identity.ts';
import type { KeptLogs } from '../../model/release/record.ts';
import type { StageTable } from '../../model/release/stage-table.ts';
import type { Timing } from '../../model/base/timing.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { failureFrom } from '../failure.ts';
import { activities } from '../activities.ts';
import { settled } from '../run-stage.ts';

/** The logs in the registry, and a warning for each that could not be sent. */
export interface LogsKept {
  kept: KeptLogs[];
  warnings: string[];
}

/** Longest reason in a warning (characters): the record must fit in a payload. */
const MAX_REASON = 200;

/**
 * Sends the logs that the stage table names. Never rejects, even when an activity fails or is cancelled.
 */
export async function keepLogs(
  { identity, table }: { identity: ReleaseIdentity; table: Pick<StageTable, 'rows'> },
  { logRepository: repository, timing }: Pick<ReleaseRequest, 'logRepository' | 'timing'>,
): Promise<LogsKept> {
  const outcome: LogsKept = { kept: [], warnings: [] };
  // The spec keeps logs on their hosts.
  if (repository === undefined) return outcome;
  const logs = table.rows.flatMap((row) => row.log ?? []);
  const hosts = [...new Set(logs.map(({ host }) => host))];
  await Promise.all(
    hosts.map(async (host) => {
      const paths = [...new Set(logs.filter((one) => one.host === host).map(({ path }) => path))];
      const worker = activities('logs', timing, `keep the logs of ${host}`, host);
      const sent = await settled(worker.keepLogs({ ...identity, repository, paths, timing }));
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

/** Cleans up on every host. Leaves a host that does not answer to its janitor, and never fails the release. */
export async function cleanUp(identity: ReleaseIdentity, hosts: ReadonlySet<string>, timing: Timing): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    const done = new Set<string>();
    // A builder run that ends meanwhile may add a host.
    while (done.size < hosts.size) {
      const next = [...hosts].filter((host) => !done.has(host));
      for (const host of next) done.add(host);
      await Promise.all(next.map((host) => cleanUpHost(identity, host, timing)));
    }
  });
}

async function cleanUpHost(identity: ReleaseIdentity, host: string, timing: Timing): Promise<void> {
  try {
    const worker = activities('end', timing, `clean up ${host}`, host);
    await worker.cleanUp({ ...identity, timing });
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    log.warn('clean-up failed; the janitor of the host will do it', { host, reason: failureFrom(error, null).message });
  }
}
