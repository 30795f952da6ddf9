/**
 * What a worker measures every few seconds: a build worker the space and slots of its host, a control worker what
 * Temporal knows of releases and workers. Stages and releases are counted in activities/frame.ts and
 * workflows/release/show.ts.
 */
import type { Client } from '@temporalio/client';
import { Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';
import { z } from 'zod';
import { isRemembered, SLOTS, slotCounts } from '../../activities/host/lease-decision.ts';
import { spaceOf } from '../../activities/host/space.ts';
import { readLeaseFiles } from '../../activities/host/lease-files.ts';
import { pollersOf } from '../../activities/server.ts';
import { podmanInfo } from '../../activities/tools/podman/podman.ts';
import type { HostContext } from '../../activities/host/work-directory.ts';
import { PROMOTION_WORKFLOW } from '../../model/tags/promotion.ts';
import { counterOf, METRICS, type GaugeName, type LabelsOf } from '../../model/base/metric.ts';
import { claimQueue, CONTROL_QUEUE, SIGN_QUEUE, type Role } from '../../model/contract/queue.ts';
import { ARCHITECTURES } from '../../model/base/host.ts';
import { isFinal, RELEASE_STATUSES, type ReleaseStatus } from '../../model/stage/stage.ts';
import type { CredentialEnds } from './credentials.ts';
import { NIGHTS_LOOKED_AT, remembering, newestWell, type Run } from './newest.ts';

/** Pause between two looks (ms): Prometheus mostly asks every 15 s to 60 s. */
const INTERVAL = 15_000;

/** A credential that ends sooner (ms) is to be renewed. */
const ENDS_SOON = 14 * 24 * 60 * 60_000;

/** Queues that identify a role: every worker that polls one has the role. */
const QUEUES: Record<Role, readonly string[]> = {
  control: [CONTROL_QUEUE],
  sign: [SIGN_QUEUE],
  build: ARCHITECTURES.map(claimQueue),
};

/**
 * Releases that succeeded, and nightly runs that ended. A nightly run also completes when its release failed, and says
 * so.
 */
const RELEASED =
  `WorkflowType = 'release' AND ExecutionStatus = 'Completed' AND FlightlineStatus IN ('released', ` + `'unchanged')`;
const NIGHTS = `WorkflowType = 'nightly' AND ExecutionStatus = 'Completed'`;
/** The part of a nightly run's result that is read. */
const EndedWell = z.object({ outcome: z.enum(['released', 'unchanged'] satisfies ReleaseStatus[]) });

function setGauge<Name extends GaugeName>(name: Name, value: number, labels: LabelsOf<Name>): void {
  const type = name.endsWith('_seconds') ? 'float' : 'int';
  Runtime.instance().metricMeter.createGauge(name, type, '', METRICS[name].help).set(value, labels);
}

/** Counts what the janitor removed. */
export function countRemoved(things: number): void {
  counterOf(Runtime.instance().metricMeter, 'flightline_janitor_removed_total').add(things, {});
}

/** Measures what a worker connects with until the returned function is called. */
export function measureCredentials(ends: CredentialEnds, logger: Logger): () => void {
  return repeat(logger, async () => {
    for (const [what, end] of Object.entries(ends)) {
      const isEnding = end !== null && end.getTime() < Date.now() + ENDS_SOON;
      setGauge('flightline_credentials_ending', isEnding ? 1 : 0, { what });
    }
  });
}

/** Measures a build host until the returned function is called. */
export function measureHost(host: HostContext, logger: Logger): () => void {
  // Start the counter at 0: Prometheus does not count the first value of a new counter as an increase.
  countRemoved(0);
  return repeat(logger, async () => {
    const directories = await podmanInfo().then(
      ({ graphRoot }) => new Set([host.work.path, graphRoot]),
      () => [host.work.path],
    );
    for (const directory of directories) {
      const { free, total } = await spaceOf([directory]);
      setGauge('flightline_disk_free_bytes', free, { directory });
      setGauge('flightline_disk_size_bytes', total, { directory });
    }
    const { leases, requests } = await readLeaseFiles(host);
    const now = new Date();
    for (const slot of SLOTS) {
      const used = leases.filter((lease) => lease.slot === slot && slotCounts(lease, now));
      const waiting = requests.filter((request) => request.slot === slot && isRemembered(request, now));
      setGauge('flightline_slots_used', used.length, { slot });
      setGauge('flightline_slots_limit', host.configuration.limits[slot], { slot });
      setGauge('flightline_claims_waiting', waiting.length, { slot });
    }
  });
}

/** Measures what Temporal knows until the returned function is called. Every control worker reports the same. */
export function measureReleases(client: Client, logger: Logger): () => void {
  const { namespace } = client.options;
  // With the labels that the SDK gives to counters of workflows, so that the same series starts at 0.
  const meter = Runtime.instance().metricMeter.withTags({
    namespace,
    taskQueue: CONTROL_QUEUE,
    workflowType: 'release',
  });
  for (const status of RELEASE_STATUSES.filter(isFinal)) {
    counterOf(meter, 'flightline_releases_ended_total').add(0, { status });
  }
  const nightEndedWell = remembering(async ({ workflowId, runId }: Run) => {
    const result: unknown = await client.workflow.getHandle(workflowId, runId).result();
    return EndedWell.safeParse(result).success;
  });
  return repeat(logger, async () => {
    const open = async (type: string, status: ReleaseStatus) => {
      const query = `WorkflowType = '${type}' AND ExecutionStatus = 'Running' AND FlightlineStatus = '${status}'`;
      return (await client.workflow.count(query)).count;
    };
    for (const status of ['running', 'held'] as const) {
      setGauge('flightline_releases', await open('release', status), { status });
    }
    setGauge('flightline_promotions_held', await open(PROMOTION_WORKFLOW, 'held'), {});
    // The newest comes first. Nothing to report when none succeeded, or the server no longer knows.
    const successes = {
      release: await newestWell(client.workflow.list({ query: RELEASED, pageSize: 1 }), async () => true),
      nightly: await newestWell(client.workflow.list({ query: NIGHTS, pageSize: NIGHTS_LOOKED_AT }), nightEndedWell),
    };
    for (const [workflow, at] of Object.entries(successes)) {
      if (at) setGauge('flightline_last_success_timestamp_seconds', at.getTime() / 1_000, { workflow });
    }
    for (const [role, queues] of Object.entries(QUEUES)) {
      const identities = new Set<string>();
      for (const queue of queues) for (const { identity } of await pollersOf(client, queue)) identities.add(identity);
      setGauge('flightline_workers', identities.size, { role });
    }
  });
}

/**
 * Measures now and every {@link INTERVAL}, once at a time. Logs only the first of several failures in a row.
 */
function repeat(logger: Logger, look: () => Promise<void>): () => void {
  let looking = false;
  let failing = false;
  const run = async () => {
    if (looking) return;
    looking = true;
    try {
      await look();
      failing = false;
    } catch (error) {
      if (!failing)
        logger.warn({ event: 'metrics', error }, 'some metrics could not be measured and keep their last values');
      failing = true;
    } finally {
      looking = false;
    }
  };
  void run();
  const timer = setInterval(() => void run(), INTERVAL).unref();
  return () => clearInterval(timer);
}
