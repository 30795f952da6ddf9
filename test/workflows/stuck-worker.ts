/**
 * A worker whose one activity never ends, to be killed:
 * `tsx stuck-worker.ts ADDRESS TASK_QUEUE ATTEMPTS_DIRECTORY`.
 */
import { NativeConnection, Worker } from '@temporalio/worker';
import { recordAttempts } from '../../workers/attempts.ts';

const [address, taskQueue, directory] = process.argv.slice(2) as [string, string, string];
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue,
  activities: {
    logPage: () => {
      console.log('the activity runs');
      return new Promise(() => undefined);
    },
  },
  interceptors: { activity: [recordAttempts(directory, console.error)] },
});
await worker.run();
