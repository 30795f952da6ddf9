/** Workers of all roles in one process, with stand-ins for activities: control, sign, and two hosts. */
import { randomUUID } from 'node:crypto';
import { Client, Connection, WithStartWorkflowOperation, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import {
  ASK_UPDATE,
  QUESTIONS_WORKFLOW,
  RECORD_QUERY,
  RELEASE_WORKFLOW,
  RETRY_UPDATE,
  type Question,
  type RetryResult,
} from '../../model/contract/workflows.ts';
import { ARCHITECTURES } from '../../model/base/host.ts';
import {
  claimQueue,
  CONTROL_QUEUE,
  hostQueue,
  SIGN_QUEUE,
  workerIdentity,
  type HostWork,
} from '../../model/contract/queue.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { releaseSummary } from '../../model/release/summaries.ts';
import { versioningOptions } from '../../workers/temporal/versions.ts';
import { eventually } from '../support/wait.ts';
import { idOf } from './facts.ts';
import { StandIns, type ActivityName } from './stand-ins.ts';

const CONTROL_ACTIVITIES: ActivityName[] = [
  'resolve',
  'plan',
  'compare',
  'supersede',
  'notify',
  'hosts',
  'moveSharedTag',
  'lookAtTag',
  'planRollback',
  'planPromotion',
];

const SIGN_ACTIVITIES: ActivityName[] = [
  'proveSigning',
  'index',
  'sign',
  'verify',
  'attest',
  'tag',
  'record',
  'promoteCopy',
  'promoteRecord',
  'planRotation',
  'rotateKeys',
];

const HOST_ACTIVITIES: Record<HostWork, ActivityName[]> = {
  build: ['build', 'rechunk', 'sbom', 'gate', 'deviceVerify'],
  disk: ['diskBuild', 'bootTest', 'gate'],
  transfer: ['push', 'publish'],
  short: ['claim', 'probe', 'cleanUp', 'logPage', 'keepLogs', 'hostStatus'],
};

export type ReleaseHandle = WorkflowHandle<(request: ReleaseRequest) => Promise<ReleaseRecord>>;

/** The running workers, a client, and their stand-ins. */
export interface House {
  client: Client;
  standIns: StandIns;
  start: (request: ReleaseRequest) => Promise<ReleaseHandle>;
  /** Waits until the release's record is as wished. */
  until: (handle: ReleaseHandle, what: string, wished: (record: ReleaseRecord) => boolean) => Promise<ReleaseRecord>;
  retry: (handle: ReleaseHandle, request?: ReleaseRequest) => Promise<RetryResult>;
  /** Asks as a command does, each question in a workflow of its own. */
  ask: (about: Question['about'], input: unknown, id?: string) => Promise<unknown>;
  close: () => Promise<void>;
}

/** One activity at a time; by the identity of a real sign worker where a host is named. */
function signing(host: string | undefined): Partial<WorkerOptions> {
  return {
    maxConcurrentActivityTaskExecutions: 1,
    ...(host !== undefined && { identity: workerIdentity('sign', host, '0.0.0') }),
  };
}

/** Starts the house in a namespace. `identity` names it in histories. */
export async function openHouse(options: {
  address: string;
  namespace: string;
  bundle: string;
  buildId?: string;
  /** The control worker has a version, as with `workerVersioning`. */
  versioned?: boolean;
  /** `false` where a control worker runs already. */
  control?: boolean;
  /** `false` where no sign worker is to be. */
  sign?: boolean;
  /** The host by whose name the sign worker asks for work. */
  signer?: string;
  /** Those of another house that is open too: it has the same queues. */
  standIns?: StandIns;
}): Promise<House> {
  const { address, namespace, bundle, buildId, versioned = false, control = true, sign = true } = options;
  const { standIns = new StandIns() } = options;
  const native = await NativeConnection.connect({ address });
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace, identity: 'test client' });
  const worker = (taskQueue: string, host: string | null, names: ActivityName[], more: Partial<WorkerOptions> = {}) =>
    Worker.create({
      connection: native,
      namespace,
      taskQueue,
      identity: `${host ?? 'test'} ${taskQueue}`,
      activities: standIns.activities(host, names),
      maxHeartbeatThrottleInterval: 100,
      shutdownGraceTime: 0,
      shutdownForceTime: 5_000,
      ...more,
    });
  const workers = await Promise.all([
    ...(control
      ? [
          worker(CONTROL_QUEUE, null, CONTROL_ACTIVITIES, {
            workflowBundle: { codePath: bundle },
            ...(buildId === undefined ? {} : versioningOptions({ buildId }, versioned)),
          }),
        ]
      : []),
    ...(sign ? [worker(SIGN_QUEUE, null, SIGN_ACTIVITIES, signing(options.signer))] : []),
    ...ARCHITECTURES.map((architecture) => worker(claimQueue(architecture), null, ['claim'])),
    ...['host-a', 'host-b'].flatMap((host) =>
      Object.entries(HOST_ACTIVITIES).map(([work, names]) => worker(hostQueue(host, work as HostWork), host, names)),
    ),
  ]);
  const running = Promise.all(workers.map((one) => one.run()));
  return {
    client,
    standIns,
    start: (request) =>
      client.workflow.start<(request: ReleaseRequest) => Promise<ReleaseRecord>>(RELEASE_WORKFLOW, {
        workflowId: idOf(request),
        taskQueue: CONTROL_QUEUE,
        args: [request],
        staticSummary: releaseSummary(request),
      }),
    until: (handle, what, wished) =>
      eventually(
        what,
        async () => {
          const record = await handle.query<ReleaseRecord>(RECORD_QUERY);
          return wished(record) ? record : undefined;
        },
        { timeout: 45_000, interval: 50 },
      ),
    retry: (handle, request) =>
      handle.executeUpdate<RetryResult, [{ request: ReleaseRequest | null }]>(RETRY_UPDATE, {
        args: [{ request: request ?? null }],
      }),
    ask: (about, input, id = randomUUID()) =>
      client.workflow.executeUpdateWithStart(ASK_UPDATE, {
        args: [{ about, input }],
        startWorkflowOperation: new WithStartWorkflowOperation(QUESTIONS_WORKFLOW, {
          workflowId: `questions/${id}`,
          taskQueue: CONTROL_QUEUE,
          workflowIdConflictPolicy: 'USE_EXISTING',
          args: [],
        }),
      }),
    close: async () => {
      for (const one of workers) one.shutdown();
      await running;
      await connection.close();
      await native.close();
    },
  };
}
