/** A real Temporal server, one control worker and the stand-ins, and releases on them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { BUILDER_RUN_WORKFLOW, RELEASE_WORKFLOW } from '../../model/contract/workflows.ts';
import type { PublishForm } from '../../model/spec/disk.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { DEFAULT_TIMING } from '../../model/base/timing.ts';
import { stopped } from '../../test/support/stopped.ts';
import { eventually } from '../../test/support/wait.ts';
import { idOf, requestFor } from '../../test/workflows/facts.ts';
import { releaseSummary } from '../../model/release/summaries.ts';
import { temporalTarget } from '../../workers/temporal/connection.ts';
import { withWorkerMemory } from '../../workers/memory.ts';
import { startStack } from '../../workers/stack/start.ts';
import type { Stack } from '../../workers/stack/stack.ts';
import { cpuSeconds } from '../readings.ts';
import { disksOf } from './disks.ts';

/** The figures of some releases. */
export interface Batch {
  /** From the first start to the end of the last one. */
  seconds: number;
  /** Of all releases and their builder runs. */
  events: number;
  bytes: number;
  /** Processor time that each of {@link PROCESSES} took meanwhile (s), of one core. */
  processor: Record<ProcessName, number>;
}

/** What shares the cores. */
export const PROCESSES = ['Temporal server', 'control worker', 'stand-ins', 'program that starts them'] as const;
type ProcessName = (typeof PROCESSES)[number];

export interface Ground {
  stack: Stack;
  /** Process ids. */
  pids: Readonly<Record<ProcessName, number>>;
  /** Starts so many releases at once, and waits for the end of all. */
  batch(name: string, count: number, disks?: Record<string, PublishForm>): Promise<Batch>;
  end(): Promise<void>;
}

/** Starts at the server that are under way at once: they are to be together, not to time out. */
const STARTS_AT_ONCE = 50;

/** Starts a process, and waits until it says that it serves. */
async function started(args: readonly string[], environment: NodeJS.ProcessEnv, word: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, args, {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  await new Promise<void>((ready, fail) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-10_000);
      if (said.includes(word)) ready();
    });
    child.on('exit', (code) => fail(new Error(`${args.at(-2)} ended with ${code}: ${said}`)));
  });
  return child;
}

/** @param server another one than a dev server of its own: where it is, by a profile, and its process */
export async function openGround(server?: { environment: Record<string, string>; pid: number }): Promise<Ground> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-bench-'));
  const stack = await startStack({ directory, roles: [] });
  const undo: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true }), () => stack.stop()];
  const end = async () => {
    for (const step of undo.reverse()) await step();
  };
  try {
    const here = import.meta.dirname;
    const environment = { ...process.env, ...stack.environment };
    if (server)
      Object.assign(environment, { TEMPORAL_ADDRESS: undefined, TEMPORAL_NAMESPACE: undefined }, server.environment);
    const { connectionOptions, namespace } = temporalTarget(environment);
    const control = await started(
      [join(here, 'control-worker.mjs'), stack.paths.workerConfiguration],
      withWorkerMemory(environment),
      '"worker-ready"',
    );
    undo.push(() => stopped(control));
    const standIns = await started(
      [`--import=${import.meta.resolve('tsx')}`, join(here, 'stand-in-workers.ts')],
      environment,
      'ready',
    );
    undo.push(() => stopped(standIns));
    const connection = await Connection.connect(connectionOptions);
    undo.push(() => connection.close());
    const client = new Client({ connection, namespace });
    const pids: Record<ProcessName, number> = {
      'Temporal server': server?.pid ?? stack.children().find(({ name }) => name === 'temporal')!.pid,
      'control worker': control.pid!,
      'stand-ins': standIns.pid!,
      'program that starts them': process.pid,
    };
    return {
      stack,
      pids,
      batch: (name, count, disks) => runBatch(client, pids, requestsOf(name, count, disks)),
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

function eachProcess<Value>(value: (name: ProcessName) => Value): Record<ProcessName, Value> {
  return Object.fromEntries(PROCESSES.map((name) => [name, value(name)])) as Record<ProcessName, Value>;
}

async function processorTimes(pids: Record<ProcessName, number>): Promise<Record<ProcessName, number>> {
  const times = await Promise.all(PROCESSES.map((name) => cpuSeconds(pids[name])));
  return eachProcess((name) => times[PROCESSES.indexOf(name)]!);
}

function requestsOf(name: string, count: number, disks: Record<string, PublishForm> = disksOf(3)): ReleaseRequest[] {
  return Array.from({ length: count }, (_, index) =>
    requestFor(`${name}/os-${index}`, { disks, timing: DEFAULT_TIMING }),
  );
}

async function runBatch(
  client: Client,
  pids: Record<ProcessName, number>,
  requests: readonly ReleaseRequest[],
): Promise<Batch> {
  const left = [...requests];
  const [first] = requests as [ReleaseRequest];
  const before = await processorTimes(pids);
  const start = performance.now();
  const starter = async () => {
    for (let request = left.pop(); request; request = left.pop()) {
      await client.workflow.start(RELEASE_WORKFLOW, {
        workflowId: idOf(request),
        taskQueue: CONTROL_QUEUE,
        args: [request],
        staticSummary: releaseSummary(request),
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(STARTS_AT_ONCE, requests.length) }, starter));
  if (requests.length === 1) {
    await client.workflow.getHandle(idOf(first)).result();
  } else {
    await eventually('all releases have ended', () => allEnded(client), { timeout: 30 * 60_000, interval: 250 });
  }
  const seconds = (performance.now() - start) / 1_000;
  const after = await processorTimes(pids);
  const processor = eachProcess((name) => after[name] - before[name]);
  return { seconds, processor, ...(await historiesOf(client, requests)) };
}

async function allEnded(client: Client): Promise<true | undefined> {
  const { count } = await client.workflow.count("ExecutionStatus = 'Running'");
  return count === 0 ? true : undefined;
}

/** Events and bytes of the histories of some releases and their builder runs, by the server's own word. */
async function historiesOf(
  client: Client,
  requests: readonly ReleaseRequest[],
): Promise<Pick<Batch, 'events' | 'bytes'>> {
  const ids = new Set(requests.map((request) => idOf(request)));
  // The list knows of an end a moment after it.
  await eventually('the list knows all ends', () => allEnded(client), { timeout: 30_000, interval: 50 });
  let [events, bytes, releases] = [0, 0, 0];
  for await (const info of client.workflow.list({ pageSize: 1_000 })) {
    if (info.type !== RELEASE_WORKFLOW && info.type !== BUILDER_RUN_WORKFLOW) throw new Error(`what is ${info.type}?`);
    if (!ids.has(info.workflowId.replace(/\/disks\/.*$/, ''))) continue;
    if (info.status.name !== 'COMPLETED') throw new Error(`${info.workflowId} is ${info.status.name}`);
    if (info.type === RELEASE_WORKFLOW) releases += 1;
    events += info.historyLength;
    bytes += info.historySize ?? 0;
  }
  if (releases !== requests.length)
    throw new Error(`${requests.length} releases were started, and ${releases} are there`);
  return { events, bytes };
}
