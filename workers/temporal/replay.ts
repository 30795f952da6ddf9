/**
 * Whether the workflows that are under way go on with the workflow code of this version. Releases are held for days,
 * and the workflow of a shared tag lives for ever: code that does not replay what it finds would fail each of their
 * tasks.
 */
import { WorkflowNotFoundError, type Client, type HistoryAndWorkflowId } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { bindingOf, type VersionBinding } from './versions.ts';
import { NO_SPANS } from '../telemetry/traces-wanted.ts';
import type { WorkflowSource } from '../workflow-source.ts';

/** A workflow that was replayed. */
interface Found {
  workflowId: string;
  runId: string;
  /** Build id of the version that it is bound to; null without one. */
  version: string | null;
}

/** What a replay found. Workflows that this build alone has run are left out. */
interface Replayed {
  goesOn: Found[];
  stuck: Found[];
}

/** Workflows that an error names. */
const NAMED = 5;

/** Replays the open workflows that another build has had a part in, and that are bound to a version as wished. */
async function replayOpenWorkflows(
  client: Client,
  { bundle, buildId }: WorkflowSource,
  wished: (binding: VersionBinding) => boolean,
): Promise<Replayed> {
  const found: Replayed = { goesOn: [], stuck: [] };
  const bindings = new Map<string, VersionBinding>();
  const others = historiesOfOthers(client, buildId, (runId, binding) => {
    bindings.set(runId, binding);
    return wished(binding);
  });
  const first = await others.next();
  // Mostly there is none, and a quarter of a second of processor time is spared.
  if (first.done) return found;
  const histories = withFirst(first.value, others);
  const replay = Worker.runReplayHistories({ workflowBundle: bundle, sinks: NO_SPANS }, histories);
  for await (const { workflowId, runId, error } of replay) {
    const one = { workflowId, runId, version: bindings.get(runId)?.buildId ?? null };
    (error ? found.stuck : found.goesOn).push(one);
  }
  return found;
}

async function* withFirst<Item>(first: Item, others: AsyncIterable<Item>): AsyncIterable<Item> {
  yield first;
  yield* others;
}

async function* historiesOfOthers(
  client: Client,
  buildId: string,
  wished: (runId: string, binding: VersionBinding) => boolean,
): AsyncGenerator<HistoryAndWorkflowId, void> {
  const query = `ExecutionStatus = 'Running' AND TaskQueue = '${CONTROL_QUEUE}'`;
  for await (const { workflowId, runId, searchAttributes } of client.workflow.list({ query })) {
    if (isOwn(searchAttributes.BuildIds, buildId)) continue;
    try {
      const handle = client.workflow.getHandle(workflowId, runId);
      // The list is a moment behind.
      const now = await handle.describe();
      if (now.status.name !== 'RUNNING' || isOwn(now.searchAttributes.BuildIds, buildId)) continue;
      if (!wished(runId, bindingOf(now.searchAttributes))) continue;
      yield { workflowId, history: await handle.fetchHistory() };
    } catch (error) {
      // It has ended since, and was deleted.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }
}

/**
 * Whether this build alone has run a workflow. The server notes `unversioned:<build id>` of each worker that
 * completed a task, or `<behaviour>:<deployment>:<build id>` of one with versions; one that went to another build and
 * came back has both.
 */
function isOwn(noted: unknown, buildId: string): boolean {
  const builds = (Array.isArray(noted) ? noted : []).map(String).filter((one) => one.includes(':'));
  return builds.length > 0 && builds.every((one) => one.endsWith(`:${buildId}`));
}

/**
 * Sees that everything under way that would come to this version goes on with it. What is pinned to another version
 * does not come.
 *
 * @throws FlightlineError `host-setup` that names what would not go on, and changes nothing.
 */
export async function requireReplay(client: Client, source: WorkflowSource): Promise<number> {
  const { goesOn, stuck } = await replayOpenWorkflows(client, source, ({ pinned }) => !pinned);
  const count = goesOn.length + stuck.length;
  if (stuck.length === 0) return count;
  throw new FlightlineError(
    'host-setup',
    `${stuck.length} of ${count} workflows under way would not go on with this version (${source.buildId}): ` +
      namesOf(stuck),
    {
      remedy:
        'run the control worker of the version before until they have ended, or end them there ' +
        '(`flightline cancel RELEASE`); nothing is lost meanwhile',
    },
  );
}

/** Replays what is pinned to a version of which no worker runs. */
export async function replayLeftBehind(client: Client, source: WorkflowSource, atWork: Set<string>): Promise<Replayed> {
  return replayOpenWorkflows(client, source, ({ pinned, buildId }) => pinned && !atWork.has(buildId ?? ''));
}

/** A few of the workflows by name. */
export function namesOf(found: readonly Found[]): string {
  const names = found.slice(0, NAMED).map(({ workflowId }) => workflowId);
  return [...names, ...(found.length > NAMED ? [`and ${found.length - NAMED} more`] : [])].join(', ');
}
