/** Both ways to a release: flightline, and the guide's commands as a script. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import type { ReleaseRecord } from '../model/release/record.ts';
import { recordFrom, ROOT, startFlightline } from '../test/support/flightline.ts';
import { podman } from '../test/support/host-state.ts';
import { makeSpace, type BuildHost, type BuildHostOptions } from '../test/support/second-host.ts';
import { eventually } from '../test/support/wait.ts';
import type { Inputs, SpecOptions, Wish } from './inputs.ts';
import { writtenBytes } from './readings.ts';
import type { Site } from './site.ts';

/** A requested release. What its spec asks for besides is for flightline only. */
export interface Order extends SpecOptions {
  inputs: Inputs;
  repository: string;
  tag: string;
  disks: readonly Wish[];
  /** Kills it so many seconds after its first builder has started, and starts it again at once. */
  killAfter?: number;
}

const TIMEOUT = 20 * 60_000;
const SCRIPT = join(ROOT, 'bench/guide.sh');

/** What a release took. */
export interface Took {
  seconds: number;
  /** From the first builder's start to the last one's end, in seconds. */
  disks: number;
}

/** flightline with a build host of its own. */
export interface FlightlineSide {
  host: BuildHost;
  release(order: Order): Promise<Took & { record: ReleaseRecord }>;
  end(): Promise<void>;
}

/** The script with a podman storage of its own. */
export interface GuideSide {
  release(order: Order): Promise<Took>;
  /** Signs and publishes a file. Answers bytes written on this host besides. */
  publish(
    how: 'artifact' | 'container-disk',
    file: string,
    order: Order,
  ): Promise<{ seconds: number; written: number }>;
  podman(args: readonly string[]): Promise<string>;
  end(): Promise<void>;
}

let made = 0;
/** A name that no other side has. */
function nextName(kind: string): string {
  made += 1;
  return `${kind}-${made}`;
}

/** Waits until the disk has all earlier writes, so that they do not slow down the next run. */
export async function settle(): Promise<void> {
  await execa('sync');
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1_000;
}

/** From the first disk build's start to the last one's end; 0 when there was none. */
function secondsOfDisks({ stages }: ReleaseRecord): number {
  const builds = stages.filter(({ name, startedAt }) => name === 'disk-build' && startedAt);
  if (builds.length === 0) return 0;
  const starts = builds.map(({ startedAt }) => Date.parse(startedAt!));
  const ends = builds.map(({ durationMs }, index) => starts[index]! + (durationMs ?? 0));
  return (Math.max(...ends) - Math.min(...starts)) / 1_000;
}

/** Starts a build host with an empty storage. */
export async function flightlineSide(site: Site, options: Partial<BuildHostOptions> = {}): Promise<FlightlineSide> {
  const host = await site.host(nextName('flightline'), options);
  return {
    host,
    release: async ({ inputs, repository, tag, disks, killAfter, ...more }) => {
      const spec = await inputs.spec(repository, tag, disks, more);
      const start = performance.now();
      const running = startFlightline(['run', spec, '--json'], { environment: site.environment, timeout: TIMEOUT });
      if (killAfter !== undefined) {
        await eventually('the builder runs', async () => {
          return (await host.containers()).some(({ state }) => state === 'running') || undefined;
        });
        await pause(killAfter * 1_000);
        await host.stop('SIGKILL');
        await host.start();
      }
      const { exitCode, stdout, stderr } = await running;
      const seconds = secondsSince(start);
      const record = recordFrom({ exitCode: exitCode ?? -1, stdout: String(stdout), stderr: String(stderr) });
      if (exitCode !== 0) throw new Error(`flightline ended with ${exitCode}: ${String(stderr)}`);
      return { seconds, disks: secondsOfDisks(record), record };
    },
    end: () => host.end(),
  };
}

/** Makes a storage for the script. */
export async function guideSide(site: Site): Promise<GuideSide> {
  const name = nextName('guide');
  const directory = join(site.stack.directory, 'guides', name);
  const home = join(directory, 'home');
  const output = join(directory, 'output');
  const ioFile = join(directory, 'io');
  await mkdir(join(home, '.config/containers/registries.d'), { recursive: true });
  const attachments = 'default-docker:\n  use-sigstore-attachments: true\n';
  await writeFile(join(home, '.config/containers/registries.d/bench.yaml'), attachments);
  const space = await makeSpace(directory, directory);
  const enter = ['nsenter', `--target=${space.pid}`, '--mount'];
  const variables = ({ inputs, repository, tag }: Order) => ({
    ...process.env,
    ...site.environment,
    HOME: home,
    REPOSITORY: repository,
    TAG: tag,
    CONTEXT: inputs.directory,
    BASE: inputs.base,
    BUILDER: inputs.builder,
    SIGNING_KEY: site.stack.privateKey,
    PASSPHRASE_FILE: site.stack.passphrase,
    OUTPUT: output,
    IO_FILE: ioFile,
    PODMAN_IGNORE_CGROUPSV1_WARNING: '1',
  });
  const log = join(site.stack.directory, 'logs', `${name}.log`);
  /**
   * Runs it; with `killAfter` to that moment only. Answers whether it was killed, and what its disks took in seconds.
   */
  const script = async (args: readonly string[], order: Order): Promise<{ killed: boolean; disks: number }> => {
    const [program, ...before] = [...enter, SCRIPT, ...args];
    const child = spawn(program!, before, { env: variables(order), stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const output_ = createWriteStream(log, { flags: 'a' });
    child.stderr.pipe(output_, { end: false });
    let killed = false;
    let began = 0;
    let disks = 0;
    createInterface({ input: child.stdout }).on('line', (line) => {
      output_.write(`${line}\n`);
      if (line.startsWith('step disk-build')) began ||= performance.now();
      // A builder has ended when its disk is published.
      if (line.startsWith('step publish') && began !== 0) disks = secondsSince(began);
      if (order.killAfter === undefined || killed || !line.startsWith('step disk-build')) return;
      killed = true;
      setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), order.killAfter * 1_000);
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    output_.end();
    if (code !== 0 && !killed) throw new Error(`the script ended with ${code}: see ${log}`);
    return { killed, disks };
  };
  const inSpace = (args: readonly string[]) => podman({ environment: site.environment, enter }, args);
  return {
    podman: inSpace,
    release: async (order) => {
      const args = ['release', ...order.disks.map(({ type, publish }) => (publish ? `${type}=${publish}` : type))];
      const start = performance.now();
      const { killed, disks } = await script(args, order);
      const first = secondsSince(start);
      if (!killed) return { seconds: first, disks };
      // The builder of the killed script still runs. To clear it away is not counted.
      await inSpace(['rm', '--all', '--force', '--time', '0']);
      const again = performance.now();
      const { killAfter: _, ...rest } = order;
      const second = await script(args, rest);
      return { seconds: first + secondsSince(again), disks: second.disks };
    },
    publish: async (how, file, order) => {
      const start = performance.now();
      await script([how, file, ...(how === 'artifact' ? ['qcow2'] : [])], order);
      return { seconds: secondsSince(start), written: writtenBytes(await readFile(ioFile, 'utf8')) };
    },
    end: async () => {
      await inSpace(['rm', '--all', '--force', '--time', '0']).catch(() => undefined);
      await space.end();
      await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/** Runs `body` with both sides, each with an empty storage. Answers what it answers. */
export async function withBoth<Answer>(
  site: Site,
  body: (flightline: FlightlineSide, guide: GuideSide) => Promise<Answer>,
): Promise<Answer> {
  const flightline = await flightlineSide(site, { limits: { disk: 1 } });
  try {
    const guide = await guideSide(site);
    try {
      return await body(flightline, guide);
    } finally {
      await guide.end();
    }
  } finally {
    await flightline.end();
  }
}

/**
 * One run of each, one after the other, which one begins alternates with the pair's number. Answers what both gave.
 *
 * @param pair counted from 0.
 */
export async function alternately<One, Other>(
  pair: number,
  one: () => Promise<One>,
  other: () => Promise<Other>,
): Promise<[One, Other]> {
  if (pair % 2 === 0) {
    await settle();
    const first = await one();
    await settle();
    return [first, await other()];
  }
  await settle();
  const second = await other();
  await settle();
  return [await one(), second];
}
