/**
 * flightline on a Temporal server as people run it: PostgreSQL, mTLS, a namespace made by the script of deploy/. A
 * release, a nightly, lists, and a hold over a power cut of the server.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa, type ResultPromise } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROLES } from '../../model/contract/queue.ts';
import { openGround } from '../../bench/orchestration/ground.ts';
import { hasReadyEvent } from '../../workers/telemetry/log.ts';
import { COMMAND, recordFrom, runFlightline, type CommandOutcome } from '../support/flightline.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { startTemporalCluster, type TemporalCluster } from '../support/temporal-cluster.ts';
import { eventually } from '../support/wait.ts';

const HELD = 4;
const RELEASES = Number(process.env.FLIGHTLINE_CASES ?? 1_000);

let stack: TestStack;
let cluster: TemporalCluster;
let environment: Record<string, string>;
const undo: (() => unknown)[] = [];

beforeAll(async () => {
  // Of the stack only the registry, the key and the configuration serve here.
  stack = await startTestStack({ roles: [] });
  undo.push(() => stack.end());
  cluster = await startTemporalCluster();
  undo.push(() => cluster.end());
  const others = Object.entries(stack.environment).filter(([name]) => !name.startsWith('TEMPORAL_'));
  environment = { ...Object.fromEntries(others), ...(await cluster.namespace('flightline')) };
  const workers = ROLES.map((role) => startWorker(role));
  undo.push(() => Promise.all(workers.map(stopWorker)));
  await Promise.all(workers.map(isReady));
}, 1_800_000);
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

function startWorker(role: string): ResultPromise {
  const args = [COMMAND, 'worker', '--role', role, '--config', join(stack.directory, 'worker.yaml')];
  return execa(process.execPath, args, { env: environment, reject: false, all: true });
}

async function isReady(worker: ResultPromise): Promise<void> {
  let said = '';
  worker.all!.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await eventually('a worker is ready', async () => (hasReadyEvent(said) ? true : undefined)).catch((error: Error) => {
    throw new Error(`${error.message}\n${said.slice(-2_000)}`);
  });
}

async function stopWorker(worker: ResultPromise): Promise<void> {
  worker.kill('SIGTERM');
  await worker;
}

const flightline = (...args: string[]) => runFlightline(args, { environment });

async function ok(...args: string[]): Promise<CommandOutcome> {
  const outcome = await flightline(...args);
  expect(outcome.exitCode, `${args.join(' ')}\n${outcome.stderr}${outcome.stdout}`).toBe(0);
  return outcome;
}

async function project(name: string, options: Partial<Parameters<typeof makeProject>[0]> = {}): Promise<Project> {
  const made = await makeProject({ registry: stack.registry, name, ...options });
  undo.push(() => made.remove());
  return made;
}

async function listed(...args: string[]): Promise<string[]> {
  const { stdout } = await ok('list', '--json', ...args);
  const { releases } = JSON.parse(stdout) as { releases: { release: string }[] };
  return releases.map(({ release }) => release.replace(/^release\//, ''));
}

it('takes nobody without a certificate', async () => {
  const { TEMPORAL_CONFIG_FILE, ...bare } = environment;
  const address = /address = "(.*)"/.exec(await readFile(TEMPORAL_CONFIG_FILE!, 'utf8'))![1]!;
  const refused = await runFlightline(['list'], { environment: { ...bare, TEMPORAL_ADDRESS: address } });
  expect(refused.exitCode).toBe(3);
});

it('releases image and disk', async () => {
  const one = await project('cluster', { disks: [{ type: 'qcow2' }] });
  const record = recordFrom(await ok('run', one.spec, '--json'));
  expect(record).toMatchObject({ status: 'released', disks: [{ type: 'qcow2', verified: true }] });
  expect(await digestOf(one.release)).toBe(record.image.digest);
});

it('keeps what is held over a power cut of the server', async () => {
  const one = await project('cluster-held', { lines: ['RUN false'] });
  expect((await flightline('run', one.spec)).exitCode).toBe(HELD);
  expect(await listed('--status', 'held')).toEqual([one.release]);
  await cluster.restart(10_000);
  expect(await listed('--status', 'held')).toEqual([one.release]);
  await one.write('Containerfile', `FROM ${stack.registry}/flightline/debian-base:trixie\nRUN true\n`);
  await ok('retry', one.release, '--spec', one.spec);
  const record = recordFrom(await ok('watch', one.release, '--json'));
  expect(record).toMatchObject({ status: 'released' });
  expect(await digestOf(one.release)).toBe(record.image.digest);
});

it('goes on with what runs when the server is cut off', async () => {
  const one = await project('cluster-cut', { lines: ['RUN sleep 20'] });
  await ok('run', '--detach', one.spec);
  await cluster.restart(5_000);
  const record = recordFrom(await ok('watch', one.release, '--json'));
  expect(record).toMatchObject({ status: 'released' });
  expect(record.stages.find(({ name }) => name === 'build')).toMatchObject({ status: 'done' });
});

it('releases by a schedule what has changed', async () => {
  const one = await project('cluster-nightly', {
    tag: 'n-{{date}}',
    image: { alsoTag: ['nightly'] },
    spec: { rebuild: 'when-changed', schedule: { cron: '0 2 * * *' } },
  });
  await ok('schedule', 'set', one.spec);
  for (const outcome of ['released', 'unchanged']) {
    await ok('schedule', 'trigger', one.repository);
    await eventually(`a night is ${outcome}`, async () => {
      const { stdout } = await ok('schedule', 'show', one.repository);
      return stdout.includes(outcome) || undefined;
    });
  }
  expect(await digestOf(`${one.repository}:nightly`)).toMatch(/^sha256:/);
  await ok('schedule', 'delete', one.repository);
});

it('lists by status, repository and age', async () => {
  expect(await listed('--status', 'released', '--repository', `${stack.registry}/test/cluster`)).toEqual([
    `${stack.registry}/test/cluster:v1`,
  ]);
  expect(await listed('--status', 'held')).toEqual([]);
  expect((await listed('--since', '1h')).length).toBeGreaterThanOrEqual(4);
});

it(`runs ${RELEASES} releases at once`, async () => {
  const bytes = async () => Number(await cluster.ask("select pg_database_size('temporal')"));
  const ground = await openGround({ environment: await cluster.namespace('many'), pid: cluster.pid() });
  try {
    const before = await bytes();
    const { seconds, events } = await ground.batch('cluster', RELEASES);
    const size = ((await bytes()) - before) / RELEASES / 1e3;
    const rate = `${(events / seconds).toFixed(0)} events per second`;
    console.log(`${RELEASES} releases in ${seconds.toFixed(1)} s: ${rate}, ${size.toFixed(0)} kB of database for each`);
    // As many as on the dev server: each has its end, and its history is no longer.
    expect(events / RELEASES).toBeLessThanOrEqual(200);
  } finally {
    await ground.end();
  }
});
