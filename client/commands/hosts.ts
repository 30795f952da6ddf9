/** `flightline hosts`: every machine with workers, and what it does. */
import {
  HostStatus,
  type ListedHost,
  machinesOf,
  type KnownWorker,
  type Machine,
} from '../../model/contract/host-status.ts';
import { visibilityQuery } from '../../model/release/listing.ts';
import { RELEASE_WORKFLOW } from '../../model/contract/workflows.ts';
import { asksForWork, claimQueue, CONTROL_QUEUE, SIGN_QUEUE, workerOfIdentity } from '../../model/contract/queue.ts';
import { searchAttribute } from '../../model/stage/stage.ts';
import { ARCHITECTURES } from '../../model/base/host.ts';
import { REQUEST_TIMEOUT, withTemporal, type Temporal } from '../temporal/temporal.ts';
import { askControl, noControlWorker, pollers } from '../temporal/control.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { verb } from '../verb.ts';
import { renderHosts } from '../view/hosts.ts';

/** Milliseconds in which a host takes the question up, and again for its answer. */
const WITHIN = 2_000;
/** Milliseconds for a workflow around that. */
const WORKFLOW_WITHIN = 2 * WITHIN + 2_000;
/** Open releases whose hosts are looked for. */
const MAX_RELEASES = 1_000;

const HOST = searchAttribute('FlightlineHost');

/** What became of a question. `unasked`: no control worker passed it on. */
type Answer = { status: HostStatus } | 'silent' | 'unknown' | 'unasked';

export default verb({
  group: 'machine',
  summary: 'list the hosts and what they do',
  description:
    'List every host with workers: roles, slots, free disk, version, when it was last seen, and what it does.',
  examples: ['flightline hosts'],
  json: { help: 'print JSON', schemas: ['hosts'] },

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
      output.result(
        renderHosts(listed, { colour: output.colour.result, columns: output.columns, now: now.getTime() }).join('\n'),
      );
      output.document({ hosts: listed });
      return EXIT.ok;
    }),
});

function listedHost(machine: Machine, answer: Answer | undefined, now: Date): ListedHost {
  if (answer === undefined) {
    return { ...machine, state: asksForWork(machine.lastSeen, now.getTime()) ? 'polls' : 'silent', status: null };
  }
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

/** The build hosts of open releases. A host that went away does not poll, but its releases wait for it. */
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
  const question = { about: 'host' as const, input: { host, within: WITHIN }, summary: `what ${host} does` };
  try {
    return { status: await askControl(temporal, question, HostStatus, WORKFLOW_WITHIN) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (error.kind === 'no-control-worker') return 'unasked';
    return error.kind === 'no-host' ? 'silent' : 'unknown';
  }
}
