/** How soon the command answers, and a worker works. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROLES, type Role } from '../../model/contract/queue.ts';
import { runFlightline, startFlightline } from '../../test/support/flightline.ts';
import { WORKER_READY } from '../../workers/telemetry/log.ts';
import { startStack, type Stack } from '../../workers/stack/start.ts';
import type { CaseApart, Row } from '../case.ts';

export const command: CaseApart = {
  name: 'command',
  onSite: false,
  run: async (plan, say) => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-bench-'));
    const stack = await startStack({ directory, roles: [] });
    try {
      const help: number[] = [];
      for (let run = 0; run <= 10; run++) {
        const start = performance.now();
        const { exitCode } = await runFlightline(['--help'], { environment: {} });
        if (exitCode !== 0) throw new Error(`flightline --help ended with ${exitCode}`);
        // The first one reads the files from the disk.
        if (run > 0) help.push((performance.now() - start) / 1_000);
      }
      const rows: Row[] = [
        { case: 'the command', measure: '`flightline --help`', unit: 's', values: help, target: { most: 0.2 } },
      ];
      for (const role of ROLES) {
        const values: number[] = [];
        for (let run = 0; run < (plan.quick ? 1 : Math.max(3, plan.repeats)); run++)
          values.push(await workerStart(stack, role));
        say(`${role} worker polls after ${values.map((one) => one.toFixed(2)).join(', ')} s`);
        rows.push({
          case: 'worker start',
          measure: `process start → polling, role ${role}`,
          unit: 's',
          values,
          target: { most: 2 },
          ...(role === 'control' ? { note: 'the compiled worker with the workflow bundle built ahead.' } : {}),
        });
      }
      return { rows };
    } finally {
      await stack.stop();
      await rm(directory, { recursive: true, force: true });
    }
  },
};

/** Seconds from the start of the process to the line that says that it polls. */
async function workerStart(stack: Stack, role: Role): Promise<number> {
  const start = performance.now();
  const args = ['worker', '--role', role, '--config', stack.paths.workerConfiguration];
  const worker = startFlightline(args, { environment: stack.environment, timeout: 60_000 });
  const seconds = await new Promise<number>((ready, fail) => {
    let said = '';
    worker.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes(`"event":"${WORKER_READY}"`)) ready((performance.now() - start) / 1_000);
    });
    void worker.then(({ stderr }) => fail(new Error(`the ${role} worker ended: ${said}\n${String(stderr)}`)));
  });
  worker.kill('SIGTERM');
  await worker;
  return seconds;
}
