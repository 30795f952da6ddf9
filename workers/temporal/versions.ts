/**
 * The versions of control workers, by Temporal's Worker Deployment Versioning: a workflow that is pinned goes on with
 * the version that it began with while a worker of it runs.
 * https://docs.temporal.io/production-deployment/worker-deployments/worker-versioning
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { WorkflowSource } from '../workflow-source.ts';

/** All control workers of a namespace. */
const DEPLOYMENT = 'flightline';

/** gRPC: the server has no such deployment, or is older than deployments are. */
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;
const FAILED_PRECONDITION = 9;
/** `TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW`, `VersioningBehavior` and its override in Temporal's API. */
const WORKFLOWS = 1;
const PINNED_OVERRIDE = 1;
/** Within this the server knows a version whose worker polls (ms). */
const KNOWN_WITHIN = 30_000;

/** What a control worker tells the server of its version. workflows/index.ts says which workflows are not pinned. */
export function versioningOptions(
  { buildId }: Pick<WorkflowSource, 'buildId'>,
  versioned: boolean,
): Pick<WorkerOptions, 'buildId' | 'workerDeploymentOptions'> {
  if (!versioned) return { buildId };
  return {
    workerDeploymentOptions: {
      version: { deploymentName: DEPLOYMENT, buildId },
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'PINNED',
    },
  };
}

/** How an open workflow is bound to a version, by what the server notes with it. */
export interface VersionBinding {
  /** Build id of the version; null for what workers without versioning run. */
  buildId: string | null;
  pinned: boolean;
}

/** How a workflow is bound, by its search attributes. */
export function bindingOf(attributes: Record<string, readonly unknown[] | undefined>): VersionBinding {
  const [version] = attributes['TemporalWorkerDeploymentVersion'] ?? [];
  const text = typeof version === 'string' ? version : '';
  return {
    buildId: text.startsWith(`${DEPLOYMENT}:`) ? text.slice(DEPLOYMENT.length + 1) : null,
    pinned: attributes['TemporalWorkflowVersioningBehavior']?.[0] === 'Pinned',
  };
}

/** Build ids of the versions of which a worker asked for work within a time (ms). */
export async function versionsAtWork({ workflowService, options }: Client, within: number): Promise<Set<string>> {
  const { pollers } = await workflowService.describeTaskQueue({
    namespace: options.namespace,
    taskQueue: { name: CONTROL_QUEUE },
    taskQueueType: WORKFLOWS,
  });
  return new Set(
    (pollers ?? []).flatMap(({ deploymentOptions, lastAccessTime }) => {
      const seen = Number(lastAccessTime?.seconds ?? 0) * 1_000;
      const id = deploymentOptions?.deploymentName === DEPLOYMENT ? deploymentOptions.buildId : null;
      return id && Date.now() - seen < within ? [id] : [];
    }),
  );
}

/** The build id that new workflows get; null where workers without versioning get them. */
export async function currentVersion({ workflowService, options }: Client): Promise<string | null> {
  try {
    const { workerDeploymentInfo } = await workflowService.describeWorkerDeployment({
      namespace: options.namespace,
      deploymentName: DEPLOYMENT,
    });
    return workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId ?? null;
  } catch (error) {
    if ([NOT_FOUND, UNIMPLEMENTED].includes(codeOf(error))) return null;
    throw error;
  }
}

/**
 * Refuses a worker without versioning where the server gives all work to versions: it would wait for ever.
 *
 * @throws FlightlineError `host-setup`
 */
export async function requireUnversioned(client: Client): Promise<void> {
  const current = await currentVersion(client);
  if (current === null) return;
  throw new FlightlineError(
    'host-setup',
    `the control workers of namespace ${client.options.namespace} have versions (now ${current}), this one has none`,
    {
      remedy:
        'set `workerVersioning: true` in its configuration, or leave versions: `temporal worker deployment ' +
        `set-current-version --deployment-name ${DEPLOYMENT} --unversioned\``,
    },
  );
}

/**
 * Makes a version that polls the one that new workflows get. A version that has been it before stays what it is: its
 * worker was kept, or started again, for what it holds.
 *
 * @returns whether the version has become current.
 */
export async function becomeCurrent({ workflowService, options }: Client, buildId: string): Promise<boolean> {
  const { namespace } = options;
  const version = { deploymentName: DEPLOYMENT, buildId };
  for (const deadline = Date.now() + KNOWN_WITHIN; ; await pause(200)) {
    try {
      const { workerDeploymentVersionInfo: info } = await workflowService.describeWorkerDeploymentVersion({
        namespace,
        deploymentVersion: version,
      });
      // `drainageInfo` is of a version that another one has replaced.
      if (info?.currentSinceTime || info?.drainageInfo) return false;
      if (info?.taskQueueInfos?.some(({ type }) => type === WORKFLOWS)) {
        await workflowService.setWorkerDeploymentCurrentVersion({ namespace, ...version });
        return true;
      }
    } catch (error) {
      if (![NOT_FOUND, FAILED_PRECONDITION].includes(codeOf(error))) throw error;
    }
    // The server learns of a version and of its queues by the first polls.
    if (Date.now() > deadline) throw new Error(`the server does not know the version ${buildId}, whose worker polls`);
  }
}

/** Lets an open workflow go on with this version. */
export async function moveToVersion(
  { workflowService, options }: Client,
  workflow: { workflowId: string; runId: string },
  { buildId }: Pick<WorkflowSource, 'buildId'>,
): Promise<void> {
  const version = { deploymentName: DEPLOYMENT, buildId };
  await workflowService.updateWorkflowExecutionOptions({
    namespace: options.namespace,
    workflowExecution: workflow,
    workflowExecutionOptions: { versioningOverride: { pinned: { behavior: PINNED_OVERRIDE, version } } },
    updateMask: { paths: ['versioning_override'] },
  });
}

function codeOf(error: unknown): number {
  return (error as { code?: number }).code ?? 0;
}
