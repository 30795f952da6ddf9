/**
 * Whether the workflows that are under way go on with the workflow code of this version. Releases are held for days,
 * and the workflow of a shared tag lives for ever: code that does not replay what it finds would fail each of their
 * tasks.
 */
import { WorkflowNotFoundError, type Client, type HistoryAndWorkflowId } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { WorkflowSource } from '../workflow-source.ts';

/** A workflow that does not go on. */
interface Stuck {
  workflowId: string;
  runId: string;
  /** What the replay met, in its first line. */
  reason: string;
}

/** What a replay of everything under way found. */
interface Replayed {
  /** How many workflows were replayed: those that this build has run already are left out. */
  count: number;
  stuck: Stuck[];
}

/** Workflows that an error names. */
const NAMED = 5;

/** Replays every open workflow that another build has had a part in. */
async function replayOpenWorkflows(client: Client, { bundle, buildId }: WorkflowSource): Promise<Replayed> {
  const stuck: Stuck[] = [];
  let count = 0;
  const histories = historiesOfOthers(client, buildId);
  for await (const { workflowId, runId, error } of Worker.runReplayHistories({ workflowBundle: bundle }, histories)) {
    count += 1;
    if (error) stuck.push({ workflowId, runId, reason: error.message.split('\n')[0]! });
  }
  return { count, stuck };
}

async function* historiesOfOthers(client: Client, buildId: string): AsyncIterable<HistoryAndWorkflowId> {
  const query = `ExecutionStatus = 'Running' AND TaskQueue = '${CONTROL_QUEUE}'`;
  for await (const { workflowId, runId, searchAttributes } of client.workflow.list({ query })) {
    if (isOwn(searchAttributes.BuildIds, buildId)) continue;
    try {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      yield { workflowId, history };
    } catch (error) {
      // It has ended since, and was deleted.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }
}

/**
 * Whether this build alone has run a workflow. The server notes `unversioned:<build id>` of each worker that
 * completed a task; one that went to another build and came back has both.
 */
function isOwn(noted: unknown, buildId: string): boolean {
  const builds = (Array.isArray(noted) ? noted : [])
    .map(String)
    .filter((one) => one.startsWith('unversioned:'))
    .map((one) => one.slice('unversioned:'.length));
  return builds.length > 0 && builds.every((one) => one === buildId);
}

/**
 * Sees that everything under way goes on with this version.
 *
 * @throws FlightlineError `host-setup` that names what would not go on, and changes nothing.
 */
export async function requireReplay(client: Client, source: WorkflowSource): Promise<number> {
  const { count, stuck } = await replayOpenWorkflows(client, source);
  if (stuck.length === 0) return count;
  const names = stuck.slice(0, NAMED).map(({ workflowId }) => workflowId);
  if (stuck.length > NAMED) names.push(`and ${stuck.length - NAMED} more`);
  throw new FlightlineError(
    'host-setup',
    `${stuck.length} of ${count} workflows under way would not go on with this version (${source.buildId}): ` +
      names.join(', '),
    {
      remedy:
        'run the control worker of the version before until they have ended, or end them there ' +
        '(`flightline cancel RELEASE`); nothing is lost meanwhile',
    },
  );
}
