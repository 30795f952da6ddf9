/** An embedded stack for tests: private directory, random ports, the example images in its registry. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { Role } from '../../model/contract/queue.ts';
import type { Timing } from '../../model/base/timing.ts';
import { publishExampleImages } from '../../workers/stack/example-images.ts';
import { startStack } from '../../workers/stack/start.ts';
import type { Stack, StackOptions } from '../../workers/stack/stack.ts';

/**
 * A registry's storage with the example images in it, so that not every stack has to compress and push them again. Its
 * name contains a digest of their sources: images of other sources would be pushed again to every stack.
 */
const SEED = join(import.meta.dirname, '../../.flightline', `test-registry-${sourcesOfExamples()}`);

/** What a test file must know of a running stack; plain data, since the stack may live in another process. */
export interface StackFacts {
  directory: string;
  registry: string;
  temporalAddress: string;
  webUi: string;
  publicKey: string;
  privateKey: string;
  passphrase: string;
  registryLog: string;
  work: string;
  /** For the command: TEMPORAL_ADDRESS and the rest, timings scaled for tests. */
  environment: Record<string, string>;
}

/** Timings for tests: faults are noticed in seconds, holds last minutes. */
export const TEST_TIMING: Partial<Timing> = {
  heartbeatTimeout: 10_000,
  hostScheduleToStart: 20_000,
  probeScheduleToStart: 3_000,
  probeStartToClose: 3_000,
  claimRetry: 500,
  claimPreferred: 3_000,
  retryInitial: 500,
  retryMaximum: 3_000,
  retryFor: 60_000,
  holdFor: 240_000,
};

/** {@link TEST_TIMING} for tests with several hosts: a silent one is given up in about ten seconds. */
export const TWO_HOSTS_TIMING: Partial<Timing> = {
  ...TEST_TIMING,
  heartbeatTimeout: 6_000,
  hostScheduleToStart: 5_000,
  probeScheduleToStart: 2_000,
  probeStartToClose: 2_000,
  claimPreferred: 2_000,
  leaseLifetime: 10_000,
  cleanUpFor: 4_000,
};

/** A stack of this process. */
export interface TestStack extends StackFacts {
  stack: Stack;
  pidOf(role: Role): number;
  /** Stops it and removes its directory. */
  end(): Promise<void>;
}

const running = new Set<TestStack>();
// A run that is interrupted ends without its hooks; its stacks, in sessions of their own, would stay.
process.once('exit', () => {
  for (const { stack, directory } of running) {
    for (const { pid } of stack.children()) endNow(pid);
    rmSync(directory, { recursive: true, force: true });
  }
});

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** The stacks that this process has started and not ended. */
export function runningStacks(): TestStack[] {
  return [...running];
}

/**
 * Starts a stack with the example images in its registry.
 *
 * @param prepare runs once the addresses are known, before anything is pushed.
 */
export async function startTestStack(
  options: Partial<StackOptions> = {},
  prepare: (stack: Stack) => Promise<void> = async () => undefined,
): Promise<TestStack> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'flightline-stack-')));
  const storage = join(directory, 'registry');
  // Images are compared by digest; outdated ones are pushed again.
  const seeded = await cp(SEED, storage, { recursive: true }).then(
    () => true,
    () => false,
  );
  const stack = await startStack({ ...options, directory });
  const end = async () => {
    for (const one of running) if (one.stack === stack) running.delete(one);
    await stack.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await prepare(stack);
    await publishExampleImages(stack);
    if (!seeded) await keepSeed(storage);
  } catch (error) {
    await end();
    throw error;
  }
  const started = { ...factsOf(stack), stack, pidOf: (role: Role) => pidOf(stack, role), end };
  running.add(started);
  return started;
}

function sourcesOfExamples(): string {
  const directory = join(import.meta.dirname, '../../examples/debian');
  const hash = createHash('sha256').update(readFileSync(join(directory, 'make-images.sh')));
  for (const name of readdirSync(join(directory, 'builder')).sort()) {
    hash.update(name).update(readFileSync(join(directory, 'builder', name)));
  }
  return hash.digest('hex').slice(0, 12);
}

async function keepSeed(storage: string): Promise<void> {
  const draft = `${SEED}.${process.pid}`;
  await cp(storage, draft, { recursive: true });
  // Another test process may have been quicker: its seed is as good.
  await rename(draft, SEED).catch(() => rm(draft, { recursive: true, force: true }));
}

function pidOf(stack: Stack, role: Role): number {
  const child = stack.children().find(({ name }) => name === role);
  if (!child) throw new Error(`the stack runs no ${role} worker`);
  return child.pid;
}

/** The plain facts of a stack. */
export function factsOf(stack: Stack): StackFacts {
  return {
    directory: stack.directory,
    registry: stack.registry,
    temporalAddress: stack.temporal.address,
    webUi: stack.temporal.webUi,
    publicKey: stack.paths.publicKey,
    privateKey: stack.paths.privateKey,
    passphrase: stack.paths.passphrase,
    registryLog: join(stack.paths.logs, 'registry.log'),
    work: stack.paths.work,
    environment: { ...stack.environment, FLIGHTLINE_TIMING: JSON.stringify(TEST_TIMING) },
  };
}

/** Runs `body` with a Temporal client of the stack. */
export async function withClient<Result>(
  facts: Pick<StackFacts, 'temporalAddress'>,
  body: (client: Client) => Promise<Result>,
): Promise<Result> {
  const connection = await Connection.connect({ address: facts.temporalAddress });
  try {
    return await body(new Client({ connection }));
  } finally {
    await connection.close();
  }
}
