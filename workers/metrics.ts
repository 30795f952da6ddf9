/**
 * What a worker measures beside its work, every few seconds: a build worker its host's room and slots, a control worker what
 * Temporal knows of releases and workers. Stages and releases count themselves (activities/stage.ts, workflows/metrics.ts).
 */
import type { Client } from '@temporalio/client';
import { Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';
import { SLOTS, slotCounts } from '../activities/lease-decision.ts';
import { spaceOf } from '../activities/host-space.ts';
import { readLeaseFiles } from '../activities/leases.ts';
import { podmanInfo } from '../activities/tools/podman.ts';
import type { HostContext } from '../activities/work-directory.ts';
import { counterOf, METRICS, type GaugeName, type LabelsOf } from '../spec/metric.ts';
import { ARCHITECTURES, claimQueue, CONTROL_QUEUE, SIGN_QUEUE, type Role } from '../spec/queue.ts';
import { isFinal, RELEASE_STATUSES } from '../spec/stage.ts';

/** Pause between two looks (ms): Prometheus mostly asks every 15 s to 60 s. */
const INTERVAL = 15_000;
/** `TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API (enums/v1/task_queue.proto). */
const ACTIVITIES = 2;

/** Queues that tell of a role: who polls one of them is such a worker. */
const QUEUES: Record<Role, readonly string[]> = {
  control: [CONTROL_QUEUE],
  sign: [SIGN_QUEUE],
  build: ARCHITECTURES.map(claimQueue),
};

/** Ways in which a workflow ends well, by its type: a query for the list of workflows. */
const SUCCESSES = {
  release: `WorkflowType = 'release' AND FlightlineStatus IN ('released', 'unchanged') AND ExecutionStatus = 'Completed'`,
  nightly: `WorkflowType = 'nightly' AND ExecutionStatus = 'Completed'`,
} as const;

function setGauge<Name extends GaugeName>(name: Name, value: number, labels: LabelsOf<Name>): void {
  const type = name.endsWith('_seconds') ? 'float' : 'int';
  Runtime.instance().metricMeter.createGauge(name, type, '', METRICS[name].help).set(value, labels);
}

/** Counts what the janitor removed. */
export function countRemoved(things: number): void {
  counterOf(Runtime.instance().metricMeter, 'flightline_janitor_removed_total').add(things, {});
}

/** Measures a build host until the answer is called. */
export function measureHost(host: HostContext, logger: Logger): () => void {
  // A counter that is there from the start: Prometheus takes the first value of a new one for no increase.
  countRemoved(0);
  let directories: string[] | undefined;
  return repeat(logger, async () => {
    directories ??= await podmanInfo().then(
      ({ graphRoot }) => [...new Set([host.work.path, graphRoot])],
      () => undefined,
    );
    for (const directory of directories ?? [host.work.path]) {
      const { free, total } = await spaceOf([directory]);
      setGauge('flightline_disk_free_bytes', free, { directory });
      setGauge('flightline_disk_size_bytes', total, { directory });
    }
    const { leases, requests } = await readLeaseFiles(host);
    const now = new Date();
    for (const slot of SLOTS) {
      const used = leases.filter((lease) => lease.slot === slot && slotCounts(lease, now));
      const waiting = requests.filter(
        (request) => request.slot === slot && Date.parse(request.seenUntil) >= now.getTime(),
      );
      setGauge('flightline_slots_used', used.length, { slot });
      setGauge('flightline_slots_limit', host.configuration.limits[slot], { slot });
      setGauge('flightline_claims_waiting', waiting.length, { slot });
    }
  });
}

/** Measures what Temporal knows until the answer is called. Every control worker says the same. */
export function measureReleases(client: Client, logger: Logger): () => void {
  const { namespace } = client.options;
  // With the labels that the SDK gives to what workflows count: the same series, from the start.
  const meter = Runtime.instance().metricMeter.withTags({
    namespace,
    taskQueue: CONTROL_QUEUE,
    workflowType: 'release',
  });
  for (const status of RELEASE_STATUSES.filter(isFinal)) {
    counterOf(meter, 'flightline_releases_ended_total').add(0, { status });
  }
  return repeat(logger, async () => {
    for (const status of ['running', 'held'] as const) {
      const query = `WorkflowType = 'release' AND ExecutionStatus = 'Running' AND FlightlineStatus = '${status}'`;
      setGauge('flightline_releases', (await client.workflow.count(query)).count, { status });
    }
    for (const [workflow, query] of Object.entries(SUCCESSES)) {
      // The newest comes first. Nobody has ended well, or not since the server forgot: there is nothing to say.
      for await (const { closeTime } of client.workflow.list({ query, pageSize: 1 })) {
        if (closeTime) setGauge('flightline_last_success_timestamp_seconds', closeTime.getTime() / 1_000, { workflow });
        break;
      }
    }
    for (const [role, queues] of Object.entries(QUEUES)) {
      const identities = new Set<string>();
      for (const queue of queues) for (const identity of await pollersOf(client, queue)) identities.add(identity);
      setGauge('flightline_workers', identities.size, { role });
    }
  });
}

async function pollersOf({ connection, options }: Client, queue: string): Promise<string[]> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace: options.namespace,
    taskQueue: { name: queue },
    taskQueueType: ACTIVITIES,
  });
  return (pollers ?? []).flatMap(({ identity }) => (identity ? [identity] : []));
}

/** Looks now and every {@link INTERVAL}, one look at a time; one that fails is logged once, until one succeeds again. */
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
        logger.warn({ event: 'metrics', error }, 'some metrics could not be measured and stay as they were');
      failing = true;
    } finally {
      looking = false;
    }
  };
  void run();
  const timer = setInterval(() => void run(), INTERVAL).unref();
  return () => clearInterval(timer);
}
