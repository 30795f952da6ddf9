/** A worker is killed in the middle of an activity; its successor makes the server go on at once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, WithStartWorkflowOperation } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, inject, it } from 'vitest';
import { ASK_UPDATE, QUESTIONS_WORKFLOW, type LogInput } from '../../model/contract/workflows.ts';
import { CONTROL_QUEUE, hostQueue } from '../../model/contract/queue.ts';
import { timingWith } from '../../model/base/timing.ts';
import { failAbandonedAttempts } from '../../workers/attempts.ts';
import { installQuietRuntime } from './server.ts';

installQuietRuntime();

const HOST = 'left-behind';
const QUEUE = hostQueue(HOST, 'short');
/** A successor that did nothing would wait this long for the dead attempt (ms). */
const ATTEMPT_TIMEOUT = 60_000;

it('fails the attempt of a killed worker, so that the next one starts at once', { timeout: 90_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-left-behind-'));
  const address = inject('temporalAddress');
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection });
  const control = await Worker.create({
    connection,
    taskQueue: CONTROL_QUEUE,
    workflowBundle: { codePath: inject('workflowBundle') },
  });
  try {
    await control.runUntil(async () => {
      const input: LogInput = {
        host: HOST,
        path: '/log',
        offset: 0,
        timing: timingWith({
          probeStartToClose: ATTEMPT_TIMEOUT,
          probeScheduleToStart: ATTEMPT_TIMEOUT,
          shortStartToClose: ATTEMPT_TIMEOUT,
        }),
      };
      const answer = client.workflow.executeUpdateWithStart(ASK_UPDATE, {
        args: [{ about: 'log', input }],
        startWorkflowOperation: new WithStartWorkflowOperation(QUESTIONS_WORKFLOW, {
          workflowId: 'left-behind',
          taskQueue: CONTROL_QUEUE,
          workflowIdConflictPolicy: 'FAIL',
          args: [],
        }),
      });
      const script = join(import.meta.dirname, 'stuck-worker.ts');
      const victim = spawn(process.execPath, ['--import', 'tsx', script, address, QUEUE, directory], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      await once(victim.stdout, 'data');
      victim.kill('SIGKILL');
      await once(victim, 'exit');
      expect(await readdir(directory)).toHaveLength(1);

      const start = Date.now();
      expect(await failAbandonedAttempts(client, directory)).toEqual([
        { activity: 'logPage', workflow: 'left-behind', outcome: 'failed' },
      ]);
      const successor = await Worker.create({
        connection,
        taskQueue: QUEUE,
        activities: { logPage: async () => ({ text: 'here', nextOffset: 4, end: true }) },
      });
      const result = await successor.runUntil(answer);
      expect(result).toMatchObject({ text: 'here' });
      expect(Date.now() - start).toBeLessThan(10_000);
      expect(await readdir(directory)).toEqual([]);
    });
  } finally {
    await connection.close();
    await rm(directory, { recursive: true, force: true });
  }
});
