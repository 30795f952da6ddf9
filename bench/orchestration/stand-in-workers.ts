/**
 * Workers of the sign and build roles whose activities are the stand-ins of test/workflows, which answer at once:
 * `stand-in-workers.ts ADDRESS`. Prints `ready`, and ends with SIGTERM.
 */
import { NativeConnection, Worker } from '@temporalio/worker';
import { claimQueue, hostQueue, SIGN_QUEUE } from '../../model/contract/queue.ts';
import { StandIns, type ActivityName } from '../../test/workflows/stand-ins.ts';
import { installQuietRuntime } from '../../test/workflows/server.ts';

const HOST = 'host-a';
const QUEUES: Record<string, ActivityName[]> = {
  [SIGN_QUEUE]: ['proveSigning', 'sign', 'verify', 'tag', 'record'],
  [claimQueue('amd64')]: ['claim'],
  [hostQueue(HOST, 'build')]: ['build', 'deviceVerify'],
  [hostQueue(HOST, 'disk')]: ['diskBuild', 'bootTest'],
  [hostQueue(HOST, 'transfer')]: ['push', 'publish'],
  [hostQueue(HOST, 'short')]: ['claim', 'probe', 'cleanUp', 'logPage'],
};

installQuietRuntime();
const connection = await NativeConnection.connect({ address: process.argv[2]! });
const standIns = new StandIns();
const workers = await Promise.all(
  Object.entries(QUEUES).map(([taskQueue, names]) =>
    Worker.create({
      connection,
      taskQueue,
      identity: `stand-in ${taskQueue}`,
      activities: standIns.activities(HOST, names),
    }),
  ),
);
const running = Promise.all(workers.map((worker) => worker.run()));
console.log('ready');
await running;
await connection.close();
