/** How soon the command answers, and how soon a worker polls. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROLES, type Role } from '../../model/contract/queue.ts';
import { ROOT, runFlightline, startFlightline } from '../../test/support/flightline.ts';
import { WORKER_READY } from '../../workers/telemetry/log.ts';
import { startStack } from '../../workers/stack/start.ts';
import type { Stack } from '../../workers/stack/stack.ts';
import type { CaseApart, Row } from '../case.ts';
import { cpuSecondsOfChildren } from '../readings.ts';
import { spread } from '../statistics.ts';

/** Runs of a command; one more, which reads the files from the disk, is not counted. */
const RUNS = 10;
const SPEC = join(ROOT, 'examples/debian/flightline.yaml');

/** Commands that ask no Temporal server: the name in the table, the arguments, and the exit code. */
const ALONE: readonly [name: string, args: readonly string[], exitCode: number][] = [
  ['`flightline --help`', ['--help'], 0],
  ['`flightline version`', ['version'], 0],
  ['`flightline lint`', ['lint', SPEC], 0],
  ['`flightline keygen --help`', ['keygen', '--help'], 0],
  ['`flightline schedule`, which prints its help', ['schedule'], 2],
  // It has loaded all that it needs when it finds that its key is none.
  ['`flightline verify` with a wrong key', ['verify', '127.0.0.1:1/os:v1', '--key', SPEC], 1],
];

export const command: CaseApart = {
  name: 'command',
  onSite: false,
  run: async (plan, say) => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-bench-'));
    const stack = await startStack({ directory, roles: [] });
    try {
      const rows: Row[] = [];
      for (const [name, args, exitCode] of ALONE) {
        rows.push(await loadRow(name, 0.25, () => endOf(args, exitCode)));
      }
      rows.push(await loadRow('`flightline list`, until its first request', 0.5, () => firstRequest(['list'])));
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
          target: { most: 1 },
          ...(role === 'control' && {
            note: 'the compiled worker with the workflow bundle built ahead.',
            headline: { what: 'start of a control worker, until it polls' },
          }),
        });
      }
      return { rows };
    } finally {
      await stack.stop();
      await rm(directory, { recursive: true, force: true });
    }
  },
};

async function loadRow(measure: string, most: number, once: () => Promise<number>): Promise<Row> {
  await once();
  const values: number[] = [];
  const processor: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const before = await cpuSecondsOfChildren();
    values.push(await once());
    processor.push((await cpuSecondsOfChildren()) - before);
  }
  return {
    case: 'the command',
    measure,
    unit: 's',
    values,
    target: { most },
    note: `${spread(processor).median.toFixed(2)} s of processor time.`,
  };
}

/** Seconds of a command as a process. */
async function endOf(args: readonly string[], expected: number): Promise<number> {
  const start = performance.now();
  const { exitCode, stderr } = await runFlightline(args, { environment: {} });
  if (exitCode !== expected) throw new Error(`flightline ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
  return (performance.now() - start) / 1_000;
}

/** Seconds until a server hears from the command. It gets no answer. */
async function firstRequest(args: readonly string[]): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const start = performance.now();
  const running = startFlightline(args, { environment: { TEMPORAL_ADDRESS: `127.0.0.1:${port}` } });
  try {
    return await new Promise<number>((heard, fail) => {
      server.once('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => heard((performance.now() - start) / 1_000));
      });
      void running.then(({ stderr }) => fail(new Error(`it asked nothing: ${String(stderr)}`)));
    });
  } finally {
    running.kill('SIGKILL');
    await running;
    server.close();
  }
}

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
