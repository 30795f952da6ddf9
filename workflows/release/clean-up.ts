/** Clean-up of what a release made on its hosts, at every end. */
import type { ActivitiesOn } from '../../model/contract/activities.ts';
import { ActivityFailure } from '@temporalio/common';
import { CancellationScope, log, proxyActivities } from '@temporalio/workflow';
import type { ReleaseIdentity } from '../../model/release/identity.ts';
import type { Timing } from '../../model/base/timing.ts';
import { failureFrom } from '../failure.ts';
import { cleanUpOptions } from '../options.ts';

/** Cleans up on every host. A host that does not answer is left to its janitor: that never fails a release. */
export async function cleanUp(identity: ReleaseIdentity, hosts: ReadonlySet<string>, timing: Timing): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    const done = new Set<string>();
    // A builder run that ends meanwhile may still name a host.
    while (done.size < hosts.size) {
      const next = [...hosts].filter((host) => !done.has(host));
      for (const host of next) done.add(host);
      await Promise.all(next.map((host) => cleanUpHost(identity, host, timing)));
    }
  });
}

async function cleanUpHost(identity: ReleaseIdentity, host: string, timing: Timing): Promise<void> {
  try {
    const options = cleanUpOptions(timing, host, `clean up ${host}`);
    await proxyActivities<ActivitiesOn<'short'>>(options).cleanUp({ ...identity, timing });
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    log.warn('clean-up failed; the janitor of the host will do it', { host, reason: failureFrom(error, null).message });
  }
}
