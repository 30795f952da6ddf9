/**
 * Workers of the sign and build roles whose activities are the stand-ins of test/workflows, which answer at once:
 * `stand-in-workers.ts`. Finds the server as a worker does. Prints `ready`, and ends with SIGTERM.
 */
import { NativeConnection, Worker } from '@temporalio/worker';
import { activitiesOn } from '../../model/contract/activities.ts';
import type { ActivityQueue } from '../../model/contract/activity.ts';
import { claimQueue, HOST_WORK, hostQueue, SIGN_QUEUE } from '../../model/contract/queue.ts';
import { temporalTarget } from '../../workers/temporal/connection.ts';
import { StandIns, type ActivityName } from '../../test/workflows/stand-ins.ts';
import { installQuietRuntime } from '../../test/workflows/server.ts';

const HOST = 'host-a';
const QUEUES: Record<string, ActivityQueue> = {
  [SIGN_QUEUE]: 'sign',
  [claimQueue('amd64')]: 'claim',
  ...Object.fromEntries(HOST_WORK.map((work) => [hostQueue(HOST, work), work])),
};

installQuietRuntime();
const { connectionOptions, namespace } = temporalTarget();
const connection = await NativeConnection.connect(connectionOptions);
const standIns = new StandIns();
const workers = await Promise.all(
  Object.entries(QUEUES).map(([taskQueue, queue]) =>
    Worker.create({
      connection,
      namespace,
      taskQueue,
      identity: `stand-in ${taskQueue}`,
      activities: standIns.activities(HOST, activitiesOn(queue) as ActivityName[]),
    }),
  ),
);
const running = Promise.all(workers.map((worker) => worker.run()));
console.log('ready');
await running;
await connection.close();
