/** `flightline hosts`: every machine with workers, and what it does. */
import { randomUUID } from 'node:crypto';
import { defineSearchAttributeKey } from '@temporalio/common';
import { HostStatus, type ListedHost } from '../../model/contract/host-status.ts';
import { visibilityQuery } from '../../model/release/listing.ts';
import { HOST_STATUS_WORKFLOW, RELEASE_WORKFLOW } from '../../model/contract/messages.ts';
import {
  ARCHITECTURES,
  claimQueue,
  CONTROL_QUEUE,
  ROLES,
  SIGN_QUEUE,
  workerOfIdentity,
} from '../../model/contract/queue.ts';
import {
  noControlWorker,
  pollers,
  REQUEST_TIMEOUT,
  withTemporal,
  type Poller,
  type Temporal,
} from '../temporal/connection.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { failureOfError } from '../temporal/release-view.ts';
import { verb } from '../verb.ts';
import { renderHosts } from '../view/hosts.ts';

/** Milliseconds in which a host takes the question up, and again for its answer. */
const WITHIN = 2_000;
/** Milliseconds for a workflow around that. */
const WORKFLOW_WITHIN = 2 * WITHIN + 2_000;
/** Open releases whose hosts are looked for. */
const MAX_RELEASES = 1_000;

const HOST = defineSearchAttributeKey('FlightlineHost', 'KEYWORD_LIST');

/** What became of a question. `unasked`: no control worker passed it on. */
type Answer = { status: HostStatus } | 'silent' | 'unknown' | 'unasked';

export default verb({
  group: 'machine',
  summary: 'list the hosts and what they do',
  description:
    'List every host with workers: roles, slots, free disk, version, when it was last seen, and what it does.',
  examples: ['flightline hosts'],
  json: 'print JSON',

  syntax: (command) => command,

  run: (_, _options, output) =>
    withTemporal(async (temporal) => {
      const [known, needed] = await Promise.all([knownWorkers(temporal), hostsOfReleases(temporal)]);
      if (!known.some(({ role }) => role === 'control')) throw noControlWorker(temporal, 'no host could be asked');
      const machines = machinesOf(known, needed);
      const answers = await Promise.all(
        machines.map(async ({ host, roles }) => (roles.includes('build') ? ask(temporal, host) : undefined)),
      );
      if (answers.includes('unasked')) throw noControlWorker(temporal, 'hosts could not be asked');
      const now = new Date();
      const listed = machines.map((machine, index) => listedHost(machine, answers[index], now));
      output.result(renderHosts(listed, { colour: output.colour.result, now: now.getTime() }).join('\n'));
      output.document({ hosts: listed });
      return EXIT.ok;
    }),
});

/** A worker as the server knows it. */
export interface KnownWorker extends Pick<Poller, 'lastSeen'> {
  role: ListedHost['roles'][number];
  host: string;
}

/** What is known of a machine before it is asked. */
export type Machine = Pick<ListedHost, 'host' | 'roles' | 'lastSeen'>;

/** The machines of some workers, and the build hosts that releases are on although nobody there asks for work. Pure. */
export function machinesOf(workers: readonly KnownWorker[], needed: readonly string[]): Machine[] {
  const names = [...new Set([...workers.map(({ host }) => host), ...needed])].toSorted();
  return names.map((host) => {
    const own = workers.filter((worker) => worker.host === host);
    const roles = ROLES.filter(
      (role) => own.some((worker) => worker.role === role) || (role === 'build' && needed.includes(host)),
    );
    const seen = own.flatMap(({ lastSeen }) => lastSeen ?? []).toSorted();
    return { host, roles, lastSeen: seen.at(-1) ?? null };
  });
}

function listedHost(machine: Machine, answer: Answer | undefined, now: Date): ListedHost {
  if (answer === undefined) return { ...machine, state: 'polls', status: null };
  if (answer === 'silent' || answer === 'unasked') return { ...machine, state: 'silent', status: null };
  const lastSeen = now.toISOString();
  // One of an older version answers that it does not know the question.
  if (answer === 'unknown') return { ...machine, state: 'answers', lastSeen, status: null };
  const { host: _, ...status } = answer.status;
  return { ...machine, state: 'answers', lastSeen, status };
}

async function knownWorkers(temporal: Temporal): Promise<KnownWorker[]> {
  const found = await Promise.all([
    pollers(temporal, CONTROL_QUEUE, 'workflows'),
    pollers(temporal, SIGN_QUEUE, 'activities'),
    ...ARCHITECTURES.map((architecture) => pollers(temporal, claimQueue(architecture), 'activities')),
  ]);
  return found.flat().flatMap(({ identity, lastSeen }) => {
    const worker = workerOfIdentity(identity);
    return worker ? [{ ...worker, lastSeen }] : [];
  });
}

/** The build hosts of open releases: one that went away minutes ago polls no more, and is waited for all the same. */
async function hostsOfReleases(temporal: Temporal): Promise<string[]> {
  const query = `${visibilityQuery(RELEASE_WORKFLOW)} AND ExecutionStatus = 'Running'`;
  const found = new Set<string>();
  await temporal.within(REQUEST_TIMEOUT, async () => {
    let read = 0;
    for await (const info of temporal.client.workflow.list({ query, pageSize: MAX_RELEASES })) {
      for (const host of info.typedSearchAttributes.get(HOST) ?? []) found.add(host);
      if (++read >= MAX_RELEASES) break;
    }
  });
  return [...found];
}

async function ask(temporal: Temporal, host: string): Promise<Answer> {
  try {
    const answer: unknown = await temporal.within(WORKFLOW_WITHIN, () =>
      temporal.client.workflow.execute(HOST_STATUS_WORKFLOW, {
        taskQueue: CONTROL_QUEUE,
        workflowId: `host-status/${randomUUID()}`,
        args: [{ host, within: WITHIN }],
        workflowExecutionTimeout: WORKFLOW_WITHIN,
        staticSummary: `what ${host} does`,
      }),
    );
    const parsed = HostStatus.safeParse(answer);
    return parsed.success ? { status: parsed.data } : 'unknown';
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'WorkflowFailedError') throw error;
    if (error.cause instanceof Error && error.cause.name === 'TimeoutFailure') return 'unasked';
    return failureOfError(error).kind === 'no-host' ? 'silent' : 'unknown';
  }
}
