import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { parseYamlFile } from '../../../../model/spec/spec-file.ts';
import { WorkerConfiguration } from '../../../../model/spec/worker-configuration.ts';
import { identityOf, isAlive } from '../../../../activities/tools/process/process-identity.ts';
import { defaultAuthfile } from '../../../../workers/stack/authfile.ts';
import {
  endProcess,
  startChild,
  waitUntilReady,
  type ChildPlan,
  restartPause,
} from '../../../../workers/stack/processes/child.ts';
import {
  environmentText,
  registryConfigurationText,
  stackPaths,
  stackWorkerConfiguration,
  temporalProfileText,
  workerConfigurationText,
} from '../../../../workers/stack/files.ts';
import { withWorkerMemory } from '../../../../workers/memory.ts';
import { packageRoot } from '../../../../activities/tools/package-root.ts';
import { temporalPlan, workerPlan } from '../../../../workers/stack/plans.ts';
import { hasReadyEvent } from '../../../../workers/telemetry/log.ts';
import { assertPortFree, chooseFreePorts } from '../../../../workers/stack/ports.ts';
import { listeningInodes } from '../../../../activities/tools/process/proc.ts';
import { readState, writeState } from '../../../../workers/stack/state.ts';
import { endLeftOvers, Supervisor, type StackEvent } from '../../../../workers/stack/processes/supervisor.ts';
import { eventually } from '../../../support/wait.ts';

const ports = { temporal: 20_001, ui: 20_002, registry: 20_003 };
const paths = stackPaths('/data/stack');

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-stack-unit-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('generated files', () => {
  it('worker.yaml is a worker configuration', () => {
    const configuration = stackWorkerConfiguration({ paths, host: 'host-a', registry: '127.0.0.1:20003' });
    const parsed = parseYamlFile(workerConfigurationText(configuration), WorkerConfiguration);
    expect(parsed).toEqual({ ok: true, value: configuration });
    expect(configuration.builders).toContain('127.0.0.1:20003/flightline/debian-builder');
    expect(configuration.keys['release']?.repositories).toEqual(['127.0.0.1:20003']);
  });

  it('worker.yaml names the login of a registry that needs one', () => {
    const { registries } = stackWorkerConfiguration({
      paths,
      host: 'h',
      registry: 'quay.io/acme',
      authfile: '/a.json',
    });
    expect(registries).toEqual([{ location: 'quay.io/acme', authfile: '/a.json', insecure: false }]);
  });

  it('the registry logs each request and lets manifests be deleted', () => {
    const text = registryConfigurationText({ storage: '/s', address: '127.0.0.1:5000' });
    expect(parse(text)).toMatchObject({
      log: { accesslog: { disabled: false } },
      storage: { filesystem: { rootdirectory: '/s' }, delete: { enabled: true } },
      http: { addr: '127.0.0.1:5000' },
    });
    expect(text).not.toContain('htpasswd');
    const auth = { htpasswd: '/h', authfile: '/a.json' };
    expect(registryConfigurationText({ storage: '/s', address: 'a:1', auth })).toContain('path: /h');
  });

  it('the environment can be read by a shell, which then finds the command', () => {
    const script = `${environmentText({ A: 'b', C: "it's" }, "/it's/bin")}printf '%s\\n' "$A" "$C" "$PATH"`;
    const shell = spawnSync('sh', ['-c', script], { encoding: 'utf8', env: { PATH: '/usr/bin' } });
    expect(shell.stdout.split('\n')).toEqual(['b', "it's", "/it's/bin:/usr/bin", '']);
  });

  it('the profile names the stack’s server', () => {
    expect(temporalProfileText({ address: '127.0.0.1:1', namespace: 'default' })).toContain('[profile.default]');
  });
});

describe('stack.json', () => {
  it('is read back', () => {
    expect(readState(directory)).toBeUndefined();
    const state = { version: 1 as const, ports, children: [{ name: 'build', pid: 7, started: '1-a' }] };
    writeState(directory, state);
    expect(readState(directory)).toEqual(state);
  });

  test.each(['', '{', '{}', '{"version":2}', '{"version":1,"ports":{"temporal":0},"children":[]}'])(
    '%j is damaged',
    async (text) => {
      await writeFile(join(directory, 'stack.json'), text);
      expect(() => readState(directory)).toThrow('is damaged');
    },
  );
});

describe('ports', () => {
  let server: Server | undefined;
  afterEach(() => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve())));

  it('are free, different and below those of outgoing connections', async () => {
    const chosen = await chooseFreePorts(3);
    expect(new Set(chosen).size).toBe(3);
    expect(chosen.every((port) => port >= 20_000 && port < 32_768)).toBe(true);
  });

  it('that are held are refused with the holder', async () => {
    const [port] = (await chooseFreePorts(1)) as [number];
    await new Promise<void>((resolve) => (server = createServer().listen(port, '127.0.0.1', resolve)));
    await expect(assertPortFree('registry', port, 'stack.json')).rejects.toThrow(
      `port ${port} of the registry is held by process ${process.pid}`,
    );
  });

  it('are read from the kernel’s table', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:4E21 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1',
      '   1: 0100007F:4E21 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1',
    ].join('\n');
    expect(listeningInodes(table, 20_001)).toEqual([4711]);
    expect(listeningInodes('', 20_001)).toEqual([]);
  });
});

describe('command lines', () => {
  it('of the dev server', () => {
    const { command } = temporalPlan('/bin/temporal', ports, paths);
    expect(command.join(' ')).toBe(
      '/bin/temporal server start-dev --ip 127.0.0.1 --port 20001 --ui-port 20002 --db-filename ' +
        '/data/stack/temporal.db ' +
        '--sqlite-pragma journal_mode=WAL --log-level warn ' +
        '--search-attribute FlightlineRepository=Keyword --search-attribute FlightlineTag=Keyword ' +
        '--search-attribute FlightlineStage=Keyword ' +
        '--search-attribute FlightlineStatus=Keyword --search-attribute FlightlineHost=KeywordList ' +
        '--dynamic-config-value history.transferProcessorMaxPollRPS=500 ' +
        '--dynamic-config-value frontend.httpAllowedHosts=["none.invalid"]',
    );
  });

  it('of workers get the stack’s Temporal and none of the user’s', () => {
    process.env['TEMPORAL_API_KEY'] = 'of the user';
    try {
      const plan = workerPlan('sign', ['node', 'x'], { TEMPORAL_ADDRESS: '127.0.0.1:1' }, paths);
      expect(plan.environment['TEMPORAL_API_KEY']).toBeUndefined();
      expect(plan.environment['TEMPORAL_ADDRESS']).toBe('127.0.0.1:1');
    } finally {
      delete process.env['TEMPORAL_API_KEY'];
    }
  });

  test.each([
    [{}, { MALLOC_ARENA_MAX: '2', NODE_OPTIONS: '--max-semi-space-size=4' }],
    [{ NODE_OPTIONS: '--use-openssl-ca' }, { NODE_OPTIONS: '--use-openssl-ca --max-semi-space-size=4' }],
    [{ NODE_OPTIONS: '--max-semi-space-size=64' }, { NODE_OPTIONS: '--max-semi-space-size=64' }],
    [{ MALLOC_ARENA_MAX: '8' }, { MALLOC_ARENA_MAX: '8' }],
  ])('of workers hold less memory, unless %j says otherwise', (own, expected) => {
    expect(withWorkerMemory(own)).toMatchObject(expected);
  });

  test.each([
    ['{"level":"info","event":"worker-ready","message":"…"}\n', true],
    ['starting\n{"level":"info","event":"worker-ready"}\n', true],
    ['{"level":"info","event":"worker-stopped"}\n', false],
    ['no worker-ready here\n', false],
  ])('ready line in %j', (log, ready) => {
    expect(hasReadyEvent(log)).toBe(ready);
  });

  it('start from the package', () => {
    expect(packageRoot()).toBe(join(import.meta.dirname, '../../../..'));
  });
});

describe('the login for an existing registry', () => {
  test.each([
    [{ REGISTRY_AUTH_FILE: '/a.json', HOME: '/h' }, '/a.json'],
    [{ XDG_RUNTIME_DIR: '/run/user/0', HOME: '/h' }, '/run/user/0/containers/auth.json'],
    [{ HOME: '/h' }, `/run/containers/${process.getuid?.()}/auth.json`],
  ])('%j', (environment, file) => {
    expect(defaultAuthfile(environment, () => true)).toBe(file);
  });

  it('is none when nobody has logged in', () => {
    expect(defaultAuthfile({ HOME: '/h' }, () => false)).toBeUndefined();
    expect(defaultAuthfile({ HOME: '/h' }, (path) => path.endsWith('config.json'))).toBe('/h/.docker/config.json');
  });
});

/** A process that runs `script` in Node; ready when it has printed "up". */
function nodeChild(script: string, more: Partial<ChildPlan> = {}): ChildPlan {
  return {
    name: 'child',
    title: 'test process',
    command: [process.execPath, '-e', script],
    environment: process.env,
    logFile: join(directory, 'child.log'),
    isReady: async (log) => (await log()).includes('up'),
    readyWithin: 20_000,
    stopWithin: 10_000,
    ...more,
  };
}
const STAYS = 'console.log("up"); setInterval(() => {}, 1000);';
const STUBBORN = `process.on("SIGTERM", () => {}); ${STAYS}`;

describe('a process of the stack', () => {
  it('is waited for, and ended by SIGTERM', async () => {
    const child = await startChild(nodeChild(STAYS));
    await waitUntilReady(child);
    await endProcess(child.identity, 10_000);
    expect(await child.ended).toBe('SIGTERM');
  });

  it('that ignores SIGTERM is killed', async () => {
    const child = await startChild(nodeChild(STUBBORN));
    await waitUntilReady(child);
    await endProcess(child.identity, 200);
    expect(await child.ended).toBe('SIGKILL');
  });

  it('that ends while it starts is quoted', async () => {
    const child = await startChild(nodeChild('console.error("no licence"); process.exit(3)'));
    await expect(waitUntilReady(child)).rejects.toThrow(
      'the test process ended while starting (exit code 3):\nno licence',
    );
  });

  it('that is never ready is told of', async () => {
    const child = await startChild(nodeChild('setInterval(() => {}, 1000)', { readyWithin: 300 }));
    await expect(waitUntilReady(child)).rejects.toThrow('was not ready within');
    await endProcess(child.identity, 10_000);
  });

  it('only counts what it logged itself', async () => {
    await writeFile(join(directory, 'child.log'), 'up, said an earlier one\n');
    const child = await startChild(nodeChild('setInterval(() => {}, 1000)', { readyWithin: 300 }));
    await expect(waitUntilReady(child)).rejects.toThrow('was not ready within');
    await endProcess(child.identity, 10_000);
  });

  it('whose program is missing is told of', async () => {
    await expect(startChild(nodeChild('', { command: ['/nowhere/program'] }))).rejects.toThrow(
      /could not be started.*ENOENT/,
    );
  });

  it('is given up when starting is', async () => {
    const child = await startChild(nodeChild('setInterval(() => {}, 1000)'));
    await expect(waitUntilReady(child, AbortSignal.timeout(100))).rejects.toThrow(/timeout/i);
    await endProcess(child.identity, 10_000);
  });
});

describe('the supervisor', () => {
  const until = (what: string, isSo: () => boolean) =>
    eventually(what, () => Promise.resolve(isSo() || undefined), { interval: 50 });
  const supervisors: Supervisor[] = [];
  // Whatever failed: a supervisor that goes on would write into a directory that is gone.
  afterEach(async () => {
    for (const supervisor of supervisors.splice(0)) await supervisor.stop([['child']]);
  });
  function supervise() {
    const events: StackEvent[] = [];
    const fatal: Error[] = [];
    const supervisor = new Supervisor({
      directory,
      ports,
      onEvent: (event) => events.push(event),
      onFatal: (error) => fatal.push(error),
    });
    supervisors.push(supervisor);
    return { supervisor, events, fatal, types: () => events.map((event) => event.type) };
  }

  test.each([
    [0, 1_000],
    [1, 2_000],
    [4, 16_000],
    [5, 30_000],
    [50, 30_000],
  ])('waits after %i deaths in a row', (deaths, wait) => {
    expect(restartPause(deaths)).toBe(wait);
  });

  it('notes its processes, starts a dead worker again, and leaves none', async () => {
    const { supervisor, types } = supervise();
    await supervisor.start(nodeChild(STAYS), 'always');
    const [first] = readState(directory)!.children;
    expect(isAlive(first!)).toBe(true);
    process.kill(first!.pid, 'SIGKILL');
    await until('it is ready again', () => types().filter((type) => type === 'ready').length === 2);
    expect(types()).toEqual(['starting', 'ready', 'died', 'restarting', 'ready']);
    const [second] = readState(directory)!.children;
    expect(second!.pid).not.toBe(first!.pid);
    await supervisor.stop([['child']]);
    expect(isAlive(second!)).toBe(false);
    expect(readState(directory)!.children).toEqual([]);
  });

  it('starts nothing again once it stops', async () => {
    const { supervisor, types } = supervise();
    await supervisor.start(nodeChild(STAYS), 'always');
    process.kill(supervisor.running()[0]!.pid, 'SIGKILL');
    await until('it died', () => types().includes('died'));
    await supervisor.stop([['child']]);
    expect(types()).not.toContain('restarting');
  });

  it('gives up a process that is needed and dies again and again', async () => {
    const { supervisor, fatal, types } = supervise();
    await supervisor.start(nodeChild(STAYS), 'needed');
    for (let kills = 1; kills <= 3; kills += 1) {
      await until('it is ready', () => types().filter((type) => type === 'ready').length === kills);
      process.kill(supervisor.running()[0]!.pid, 'SIGKILL');
    }
    await until('it is given up', () => fatal.length === 1);
    expect(fatal[0]!.message).toContain(
      'the test process died (SIGKILL) 3 times in a row, and the stack cannot go on without it',
    );
    await supervisor.stop([['child']]);
  });

  it('ends its processes also where nothing can be written', async () => {
    const { supervisor } = supervise();
    await supervisor.start(nodeChild(STAYS), 'always');
    const [child] = supervisor.running();
    await rm(directory, { recursive: true });
    await supervisor.stop([['child']]);
    expect(isAlive(child!)).toBe(false);
  });

  it('ends what an earlier stack left, and nobody else’s process of the same pid', async () => {
    const mine = await startChild(nodeChild(STAYS));
    const other = await startChild(nodeChild(STAYS, { logFile: join(directory, 'other.log') }));
    const events: StackEvent[] = [];
    await endLeftOvers(
      [
        { name: 'build', ...mine.identity },
        { name: 'sign', pid: other.identity.pid, started: '1-of-another-boot' },
      ],
      (event) => events.push(event),
    );
    expect(mine.hasEnded() || !isAlive(mine.identity)).toBe(true);
    expect(identityOf(other.identity.pid)).toEqual(other.identity);
    expect(events.map((event) => event.child)).toEqual(['build']);
    await endProcess(other.identity, 10_000);
  });
});
